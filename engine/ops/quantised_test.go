package ops_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestQuantisedSoftmax: the probabilities of 1 to 12 equal scores among smaller ones, of which each half of a step goes where ONNX Runtime
// 1.30 rounds it.
func TestQuantisedSoftmax(t *testing.T) {
	for _, c := range []struct {
		scale, step float32
		want        []uint8
	}{
		{2, 0.0039215684, []uint8{255, 128, 85, 64, 51, 42, 36, 32, 28, 26, 23, 21}},
		{1e36, 0.0039215684, []uint8{255, 128, 85, 64, 51, 42, 36, 32, 28, 26, 23, 21}},
		{2, 0.003921569, []uint8{254, 127, 85, 64, 51, 42, 36, 32, 28, 25, 23, 21}},
		{2, 1. / 240, []uint8{239, 120, 80, 60, 48, 40, 34, 30, 27, 24, 22, 20}},
	} {
		x := make([]uint8, 12*12)
		for k := range 12 {
			for i := range k + 1 {
				x[k*12+i] = 200
			}
		}
		g := graph.New("")
		b := graph.NewBuilder(g)
		in := []*tensor.Tensor{tensor.From(x, 12, 12), tensor.Scalar(c.scale), tensor.Scalar(uint8(3)), tensor.Scalar(c.step),
			tensor.Scalar(uint8(0))}
		var vs []graph.Value
		for _, v := range in {
			vs = append(vs, g.AddConst("", v))
		}
		b.Add(ops.QuantisedSoftmax, nil, vs...)
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		y, err := graph.Evaluate(g, g.Nodes[0], in)
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range c.want {
			if got := tensor.Data[uint8](y[0])[k*12]; got != want {
				t.Errorf("scales %v and %v: %d equal scores have the probability %d, want %d", c.scale, c.step, k+1, got, want)
			}
		}
	}
}
