package ops_test

import (
	"context"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestStopGradient: of Σ x·stop(x) the gradient is x, not 2x, and so it is where stop is lowered.
func TestStopGradient(t *testing.T) {
	for _, lowered := range []bool{false, true} {
		g := graph.New("stop")
		x := g.AddInput("x", tensor.Float64, []graph.Dim{{Size: 3}})
		b := graph.NewBuilder(g)
		y := b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Mul, nil, x, b.Add(ops.StopGradient, nil, x)))
		dx, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, y)}, []graph.Value{x}, grad.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fetch := []graph.Value{y, dx[0]}
		if lowered {
			if err := rewrite.LowerPrivate(g); err != nil {
				t.Fatal(err)
			}
		}
		p, err := exec.Compile(g, fetch, parallel.New(1))
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run(context.Background(), []*tensor.Tensor{tensor.From([]float64{1, -2, 3}, 3)})
		if err != nil {
			t.Fatal(err)
		}
		if v := out[0].Float64s()[0]; v != 14 {
			t.Errorf("value %v, want 14", v)
		}
		for i, want := range []float64{1, -2, 3} {
			if v := out[1].Float64s()[i]; v != want {
				t.Errorf("gradient %v, want x", out[1].Float64s())
			}
		}
	}
}
