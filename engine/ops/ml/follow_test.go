package ml_test

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestFollow: scores come from their row and from no column of it, even where there are as many; what works element by element keeps both.
func TestFollow(t *testing.T) {
	coords := ops.Coords{{Shape: tensor.Shape{3, 1}, X: []float32{0, 1, 2}}, {Shape: tensor.Shape{1, 2}, X: []float32{0, 1}}}
	for _, c := range []struct {
		op    string
		attrs graph.Attrs
		outs  int
		keeps bool
	}{
		{"Scaler", graph.Attrs{"offset": []float32{1}, "scale": []float32{2}}, 1, true},
		{"LinearClassifier", graph.Attrs{"coefficients": []float32{1, 2, 3, 4}, "classlabels_ints": []int64{0, 1}}, 2, false},
		{"Normalizer", nil, 1, false},
	} {
		_, n, err := node(c.op, 1, c.attrs, c.outs, tensor.New(tensor.Float32, 3, 2))
		if err != nil {
			t.Fatal(err)
		}
		out := []tensor.Shape{{3}, {3, 2}}[2-c.outs:]
		got, _, known := ops.Follow(n, []ops.Coords{coords}, []tensor.Shape{{3, 2}}, []*tensor.Tensor{nil}, out)
		if !known {
			t.Fatalf("%s: nothing is known", c.op)
		}
		y := got[c.outs-1]
		if x := y[0].X; len(x) != 3 || x[2] != 2 {
			t.Errorf("%s: rows are at %v", c.op, y[0])
		}
		if x := y[1].X; (len(x) == 2 && x[1] == 1) != c.keeps || !c.keeps && !math.IsNaN(float64(x[0])) {
			t.Errorf("%s: columns are at %v", c.op, y[1])
		}
	}
}
