package training_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops/training"
	"github.com/gtk-onnx/gtk/tensor"
)

// state is one number of each list: X, G and what the rule keeps of it.
type state [4]float64

// TestRules: steps of two tensors, of one and of two elements, in single and in double precision, are those of the formulas in ONNX's
// text, at the first step and at a later one.
func TestRules(t *testing.T) {
	const rate = 0.125
	f := func(x float32) float64 { return float64(x) }
	rules := []struct {
		op       *graph.Spec
		attrs    graph.Attrs
		ins, out int
		step     func(s state, t float64) []float64
	}{
		{training.Adam, graph.Attrs{"alpha": float32(.75), "beta": float32(.5), "epsilon": float32(1e-3), "norm_coefficient": float32(.25),
			"norm_coefficient_post": float32(.125)}, 4, 3, func(s state, t float64) []float64 {
			g := .25*s[0] + s[1]
			v, h := .75*s[2]+.25*g, .5*s[3]+.5*g*g
			r := rate
			if t > 0 {
				r *= math.Sqrt(1-math.Pow(.5, t)) / (1 - math.Pow(.75, t))
			}
			return []float64{(1 - .125) * (s[0] - r*v/(math.Sqrt(h)+f(1e-3))), v, h}
		}},
		{training.Adagrad, graph.Attrs{"decay_factor": float32(.5), "norm_coefficient": float32(.25)}, 3, 2,
			func(s state, t float64) []float64 {
				g := .25*s[0] + s[1]
				h := s[2] + g*g
				return []float64{s[0] - rate/(1+t*.5)*g/(math.Sqrt(h)+f(1e-6)), h}
			}},
		{training.Momentum, graph.Attrs{"alpha": float32(.75), "beta": float32(.5), "mode": "standard", "norm_coefficient": float32(.25)}, 3, 2,
			func(s state, t float64) []float64 {
				v := .75*s[2] + beta(t)*(.25*s[0]+s[1])
				return []float64{s[0] - rate*v, v}
			}},
		{training.Momentum, graph.Attrs{"alpha": float32(.75), "beta": float32(.5), "mode": "nesterov", "norm_coefficient": float32(0)}, 3, 2,
			func(s state, t float64) []float64 {
				v := .75*s[2] + beta(t)*s[1]
				return []float64{s[0] - rate*(s[1]+.75*v), v}
			}},
	}
	states := []state{{1, -.5, .25, .75}, {-2, .5, 0, 2}, {.25, 3, -1, .5}} // the first is the first tensor's
	for _, u := range rules {
		for _, d := range []tensor.DType{tensor.Float32, tensor.Float64} {
			for _, at := range []int64{0, 1, 5} {
				t.Run(fmt.Sprint(u.op.Name, u.attrs["mode"], d, at), func(t *testing.T) {
					g := graph.New("step")
					as := func(x ...float64) *tensor.Tensor {
						y, err := tensor.From(x, len(x)).Convert(d)
						if err != nil {
							t.Fatal(err)
						}
						return y
					}
					feeds := []*tensor.Tensor{as(rate).Reshape(), tensor.Scalar(at)}
					for k := range u.ins {
						feeds = append(feeds, as(states[0][k]), as(states[1][k], states[2][k]))
					}
					var in []graph.Value
					for i, x := range feeds {
						in = append(in, g.AddInput(fmt.Sprint("in", i), x.DType(), nil))
					}
					a, err := u.op.DecodeAttrs(u.attrs)
					if err != nil {
						t.Fatal(err)
					}
					b := graph.NewBuilder(g)
					n := b.AddNode("step", u.op, a, in, slices.Repeat([]bool{true}, 2*u.out))
					if b.Err() != nil {
						t.Fatal(b.Err())
					}
					g.Nodes = nil
					outs, err := n.Op.Lower(b, n)
					if err != nil || b.Err() != nil {
						t.Fatal(err, b.Err())
					}
					g.Outputs = outs
					p, err := exec.Compile(g, outs, nil)
					if err != nil {
						t.Fatal(err)
					}
					got, err := p.Run(context.Background(), feeds)
					if err != nil {
						t.Fatal(err)
					}
					tol := 1e-6
					if d == tensor.Float64 {
						tol = 1e-14
					}
					for i, s := range states {
						for k, want := range u.step(s, float64(at)) {
							v := got[2*k].Float64s()
							if i > 0 {
								v = got[2*k+1].Float64s()[i-1:]
							}
							if math.Abs(v[0]-want) > tol*max(1, math.Abs(want)) {
								t.Errorf("state %d, list %d: %v, want %v", i, k, v[0], want)
							}
						}
					}
				})
			}
		}
	}
	for _, c := range []struct {
		op    *graph.Spec
		attrs graph.Attrs
		n     int
	}{
		{training.Adam, nil, 3}, {training.Momentum, graph.Attrs{"alpha": float32(1), "beta": float32(1), "mode": "other",
			"norm_coefficient": float32(0)}, 3},
	} {
		g := graph.New("bad")
		in := []graph.Value{g.AddInput("r", tensor.Float32, nil), g.AddInput("t", tensor.Int64, nil)}
		for range c.n {
			in = append(in, g.AddInput("x", tensor.Float32, nil))
		}
		a, err := c.op.DecodeAttrs(c.attrs)
		if err != nil {
			t.Fatal(err)
		}
		b := graph.NewBuilder(g)
		if b.AddNode("bad", c.op, a, in, []bool{true}); b.Err() == nil {
			t.Errorf("%s of %d tensors and %v is taken", c.op.Name, c.n, c.attrs)
		}
	}
}

func beta(t float64) float64 {
	if t > 0 {
		return .5
	}
	return 1
}
