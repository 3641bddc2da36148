package ops_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// exactly is an input with this content.
func exactly(v ...float64) arg {
	return xg(func(*rand.Rand, int) []float64 { return v }, len(v))
}

// Gradients where a function has a kink, or where a formula would divide by zero; dY is 1 everywhere.
func TestGradientAtKinks(t *testing.T) {
	for _, c := range []struct {
		what string
		c    opCase
		want [][]float64 // by input
	}{
		{"equal operands share", opCase{op: "Max", in: []arg{exactly(1, 2, 3), exactly(1, 1, 4)}}, [][]float64{{.5, 1, 0}, {.5, 0, 1}}},
		{"equal elements share", opCase{op: "ReduceMax", in: []arg{exactly(3, 1, 3)}}, [][]float64{{.5, 0, .5}}},
		{"one zero", opCase{op: "ReduceProd", in: []arg{exactly(2, 0, 3)}}, [][]float64{{0, 6, 0}}},
		{"two zeros", opCase{op: "ReduceProd", in: []arg{exactly(0, 0, 3)}}, [][]float64{{0, 0, 0}}},
		{"norm of zero", opCase{op: "ReduceL2", in: []arg{exactly(0, 0)}}, [][]float64{{0, 0}}},
		{"zero", opCase{op: "Abs", in: []arg{exactly(0)}}, [][]float64{{0}}},
		{"bounds", opCase{op: "Clip", in: []arg{exactly(-2, -1, 0, 1, 2), given(tensor.Scalar(float32(-1))),
			given(tensor.Scalar(float32(1)))}}, [][]float64{{0, 1, 1, 1, 0}}},
		{"zero to the power zero", opCase{op: "Pow", in: []arg{exactly(0, 0, 2), exactly(0, 2, 0)}},
			[][]float64{{0, 0, 0}, {0, 0, 0.6931471805599453}}},
		{"slope at zero", opCase{op: "LeakyRelu", attrs: is("alpha", 0.5), in: []arg{exactly(0, -1, 1)}}, [][]float64{{.5, .5, 1}}},
	} {
		p, err := c.c.build(tensor.Float64, false)
		if err != nil {
			t.Fatalf("%v: %v", c.c, err)
		}
		var wrt []graph.Value
		for _, i := range p.diff {
			wrt = append(wrt, p.vals[i])
		}
		dx, err := p.reverse([]grad.Seed{grad.Ones(p.g, p.node.Out[0])}, wrt)
		if err != nil {
			t.Fatalf("%v: %v", c.c, err)
		}
		out, err := p.run(nil, p.feeds, dx)
		if err != nil {
			t.Fatalf("%v: %v", c.c, err)
		}
		for i, want := range c.want {
			if err := compare(out[i], tensor.From(want, out[i].Shape()...), 1e-12, 0); err != nil {
				t.Errorf("%v, %s: gradient of input %d is %s: %v", c.c, c.what, i, tensor.Format(out[i]), err)
			}
		}
	}
}
