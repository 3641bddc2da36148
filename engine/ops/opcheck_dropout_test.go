package ops_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// With dY = X the gradient of dropout is its output of the same run, and each element is 0 or X/(1-ratio).
func TestDropoutTrainGradient(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float64} {
		c := opCase{op: "DropoutTrain", domain: ops.Private, attrs: is("ratio", 0.25), in: []arg{xg(nonzero, 20, 30), scalarID(17)}}
		p, err := c.build(d, false)
		if err != nil {
			t.Fatal(err)
		}
		y := p.node.Out[0]
		dx, err := p.reverse([]grad.Seed{{Y: y, DY: p.vals[0]}}, []graph.Value{p.vals[0]})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.runOnce(nil, p.feeds, []graph.Value{y, dx[0]})
		if err != nil {
			t.Fatal(err)
		}
		got, grad, in := out[0].Float64s(), out[1].Float64s(), tensor.Data[float64](p.feeds["in0"])
		kept := 0
		for i, v := range got {
			if v != grad[i] {
				t.Fatalf("%v: element %d: output %g, gradient %g", d, i, v, grad[i])
			}
			if v != 0 {
				kept++
				if r := v / in[i] * 0.75; r < 1-1e-6 || r > 1+1e-6 {
					t.Fatalf("%v: element %d is scaled by %g, want 1/0.75", d, i, v/in[i])
				}
			}
		}
		if kept < 400 || kept > 500 {
			t.Errorf("%v: %d of 600 kept, want about 450", d, kept)
		}
	}
}
