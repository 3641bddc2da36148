package engine_test

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Before version 14 a BatchNormalization with more than one output trains: it normalises by the statistics of the batch, and gives them and
// the running ones that follow.
func TestOldBatchNormalizationTrains(t *testing.T) {
	x := testkit.RandN(3, 5, 2, 3)
	init := tensors{"s": tensor.From([]float32{2, 0.5}, 2), "b": tensor.From([]float32{1, -1}, 2), "m": tensor.From([]float32{0.3, 0.1}, 2),
		"v": tensor.From([]float32{2, 3}, 2)}
	for _, opset := range []int64{7, 9, 13} {
		text := testkit.Text{Opset: opset, In: []string{"x[N,2,3]"}, Out: []string{"y", "rm", "rv", "sm", "sv"}, Init: init,
			Nodes: []string{"y, rm, rv, sm, sv = BatchNormalization(x, s, b, m, v; momentum=0.75)"}}
		m, err := engine.Load(&onnx.Model{Proto: text.Model(t)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Session(engine.Query{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		near := func(what string, got, want float64) {
			if !(math.Abs(got-want) <= 1e-5*(1+math.Abs(want))) {
				t.Errorf("opset %d: %s is %v, want %v", opset, what, got, want)
			}
		}
		at := func(name string, i int) float64 { return r.Value(name).Float64s()[i] }
		in := func(name string, i int) float64 { return init[name].Float64s()[i] }
		for c := range 2 {
			var sum, squares float64
			for i, v := range x.Float64s() {
				if i/3%2 == c {
					sum, squares = sum+v, squares+v*v
				}
			}
			mean := sum / 15
			variance := squares/15 - mean*mean
			near("saved_mean", at("sm", c), mean)
			near("saved_var", at("sv", c), variance)
			near("mean", at("rm", c), 0.75*in("m", c)+0.25*mean)
			near("var", at("rv", c), 0.75*in("v", c)+0.25*variance)
			near("Y", at("y", 3*c), (x.Float64s()[3*c]-mean)/math.Sqrt(variance+1e-5)*in("s", c)+in("b", c))
		}
	}
}
