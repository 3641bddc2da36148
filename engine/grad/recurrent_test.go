package grad_test

import (
	"context"
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// Recurrent layers go through JVP and HVP with the options as they are; both agree with differences of the oracle.
func TestTwiceThroughRecurrentLayers(t *testing.T) {
	for op, gates := range map[*graph.Spec]int{ops.RNN: 1, ops.GRU: 3, ops.LSTM: 4} {
		t.Run(op.Name, func(t *testing.T) {
			attrs, err := op.DecodeAttrs(graph.Attrs{"hidden_size": int64(2)})
			if err != nil {
				t.Fatal(err)
			}
			g := graph.New(op.Name)
			b := graph.NewBuilder(g)
			feeds, along := map[string]*tensor.Tensor{}, map[string]*tensor.Tensor{}
			var in, v []graph.Value
			for i, shape := range [][]int{{3, 1, 2}, {1, 2 * gates, 2}, {1, 2 * gates, 2}} {
				name := string("xwr"[i])
				in = append(in, g.AddInput(name, tensor.Float64, nil))
				for seed, m := range map[uint64]map[string]*tensor.Tensor{1: feeds, 2: along} {
					if m[name], err = testkit.RandN(seed+10*uint64(i), shape...).Convert(tensor.Float64); err != nil {
						t.Fatal(err)
					}
				}
			}
			y := b.Add(op, attrs, in...)
			loss := b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Mul, nil, y, y))
			plain := g.Clone()
			for _, x := range "xwr" {
				v = append(v, g.AddInput("along "+string(x), tensor.Float64, nil))
			}
			value := func(h float64) (float64, error) {
				m, err := naive.Fetch(plain.Clone(), testkit.Moved(feeds, along, h), []graph.Value{loss})
				if err != nil {
					return 0, err
				}
				return m[plain.Info(loss).Name].Float64s()[0], nil
			}
			jv, err := grad.JVP(g, []graph.Value{loss}, in, v, grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			hv, err := grad.HVP(g, loss, in, v, grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			prog, err := exec.Compile(g, append(jv, hv...), nil)
			if err != nil {
				t.Fatal(err)
			}
			var fed []*tensor.Tensor
			for _, m := range []map[string]*tensor.Tensor{feeds, along} {
				fed = append(fed, m["x"], m["w"], m["r"])
			}
			out, err := prog.Run(context.Background(), fed)
			if err != nil {
				t.Fatal(err)
			}
			const h = 1e-4
			first, err := testkit.Difference(value, h)
			if err != nil {
				t.Fatal(err)
			}
			if got := out[0].Float64s()[0]; math.Abs(got-first) > 1e-6*(1+math.Abs(first)) {
				t.Errorf("along v the loss changes by %.10g, want %.10g", got, first)
			}
			curve := 0.0 // vᵀHv
			for i, x := range "xwr" {
				for k, a := range along[string(x)].Float64s() {
					curve += a * out[1+i].Float64s()[k]
				}
			}
			want := 0.0
			for at, k := range map[float64]float64{-1e-3: 1, 0: -2, 1e-3: 1} {
				l, err := value(at)
				if err != nil {
					t.Fatal(err)
				}
				want += k * l / 1e-6
			}
			if math.Abs(curve-want) > 1e-4*(1+math.Abs(want)) {
				t.Errorf("the curvature along v is %.8g, want %.8g", curve, want)
			}
		})
	}
}
