package ops_test

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// input is x of the shape, whose extents are declared or, in the last configuration, are not.
func (g *source) input(f generator, shape ...int) arg {
	return arg{shape: shape, gen: f, hidden: g.i == g.n-1}
}

// parted is a shape that broadcasts to full: some extents are 1, some axes at the beginning are left out.
func (g *source) parted(full []int) []int {
	s := slices.Clone(full)
	for k := range s {
		if g.IntN(3) == 0 {
			s[k] = 1
		}
	}
	return s[g.IntN(len(s)+1):]
}

// steps is away from the kinks of piecewise functions, which are at multiples of 0.5.
func steps(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return 0.5*float64(r.IntN(16)-8) + 0.1 + 0.3*r.Float64() })
}

func init() {
	unary := func(f generator, attrs func(g *source) graph.Attrs, ops ...string) {
		for _, op := range ops {
			generate(op, 9, func(g *source) opCase {
				c := opCase{in: []arg{g.input(f, g.extents(g.i%5)...)}, tol: 1e-3, whole: true}
				if attrs != nil {
					c.attrs = attrs(g)
				}
				return c
			})
		}
	}
	above1 := func(r *rng, n int) []float64 { return draw(n, func(int) float64 { return 1.2 + 2*r.Float64() }) }
	alpha := func(g *source) graph.Attrs {
		if g.i == 0 {
			return nil
		}
		return is("alpha", 0.2+1.5*g.Float64())
	}
	unary(normal, nil, "Asinh", "Atan", "Cos", "Cosh", "Erf", "Exp", "Identity", "Neg", "Sigmoid", "Sin", "Sinh", "Tanh", "Mish", "Softplus")
	unary(inside, nil, "Acos", "Asin", "Atanh", "Tan")
	unary(above1, nil, "Acosh")
	unary(positive, nil, "Log", "Sqrt")
	unary(nonzero, nil, "Reciprocal")
	unary(kinkless, nil, "Abs", "Relu", "Softsign")
	unary(kinkless, alpha, "Celu", "Elu", "LeakyRelu")
	unary(normal, alpha, "Swish")
	unary(steps, nil, "HardSwish")
	unary(normal, func(g *source) graph.Attrs { return is("approximate", pick(g, "none", "tanh")) }, "Gelu")
	unary(kinkless, func(g *source) graph.Attrs { return is("alpha", 0.5+g.Float64(), "gamma", 0.5+g.Float64()) }, "Selu")
	// 0.25 x + 0.375 or -0.25 x + 0.625 reach 0 and 1 at multiples of 0.5.
	unary(steps, func(g *source) graph.Attrs {
		return pick(g, is("alpha", 0.25, "beta", 0.375), is("alpha", -0.25, "beta", 0.625), is("alpha", 0.5, "beta", 0.5))
	}, "HardSigmoid")
	unary(steps, func(g *source) graph.Attrs { return is("alpha", pick(g, 0.5, 0.0, -1.0)) }, "ThresholdedRelu")
	unary(steps, func(g *source) graph.Attrs { return is("lambd", pick(g, 0.5, 0.0, 1.0), "bias", g.Float64()) }, "Shrink")
	unary(normal, func(g *source) graph.Attrs { return is("to", int(pick(g, tensor.Float64, tensor.Float32))) }, "Cast")

	generate("CastLike", 9, func(g *source) opCase {
		like := pick(g, given(tensor.From([]float64{1}, 1)), floatsOf0(2), given(tensor.New(tensor.Float64, 0, 2)))
		return opCase{in: []arg{g.input(normal, g.extents(g.i%5)...), like}, whole: true}
	})
	generate("Dropout", 9, func(g *source) opCase {
		in := trimmed(g.input(normal, g.extents(g.i%5)...), g.maybe(floatsOf0(g.Float32())), g.maybe(given(tensor.Scalar(false))))
		return opCase{in: in, outs: 1 + g.i%2, attrs: is("seed", g.i), whole: true}
	})
	generate("Clip", 9, func(g *source) opCase {
		low, high := float32(0.5*float64(g.IntN(3)-3)), float32(0.5*float64(g.upto(4)))
		in := trimmed(g.input(steps, g.extents(g.i%5)...), g.maybe(floatsOf0(low)), g.maybe(floatsOf0(high)))
		return opCase{in: in, whole: true}
	})

	binary := func(op string, a, b generator) {
		generate(op, 10, func(g *source) opCase {
			full := g.extents(g.i % 5)
			left, right := full, full
			switch {
			case op == "PRelu":
				right = g.parted(full)
			case op == "SwiGLU":
			case g.i > 0:
				left, right = g.parted(full), g.parted(full)
			}
			c := opCase{in: []arg{g.input(a, left...), g.input(b, right...)}, whole: true, tol: 1e-3}
			switch op {
			case "SwiGLU":
				c.attrs = alpha(g)
			case "Mod":
				c.attrs = is("fmod", 1)
			case "Sum", "Mean", "Max", "Min":
				if op == "Max" || op == "Min" {
					c.in = append(c.in, g.input(thirds(2), g.parted(full)...))
				} else {
					c.in = append(c.in, g.input(normal, g.parted(full)...))
				}
				c.in = c.in[:1+g.i%3]
			}
			return c
		})
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Sum", "Mean", "SwiGLU"} {
		binary(op, normal, normal)
	}
	binary("Div", normal, nonzero)
	binary("Pow", positive, normal)
	binary("Max", thirds(0), thirds(1))
	binary("Min", thirds(0), thirds(1))
	binary("PRelu", kinkless, normal)
	// A whole number of times and a fraction that is away from 0 and 1.
	binary("Mod", func(r *rng, n int) []float64 {
		return draw(n, func(int) float64 { return float64(2*r.IntN(2)-1) * (float64(r.IntN(3)) + 0.2 + 0.1*r.Float64()) })
	}, func(r *rng, n int) []float64 {
		return draw(n, func(int) float64 { return float64(2*r.IntN(2)-1) * (1 + 0.02*r.Float64()) })
	})
	generate("Where", 9, func(g *source) opCase {
		full := g.extents(g.i % 5)
		shape := g.parted(full)
		cond := make([]bool, tensor.Shape(shape).Len())
		for k := range cond {
			cond[k] = g.flip()
		}
		return opCase{in: []arg{given(tensor.From(cond, shape...)), g.input(normal, g.parted(full)...), g.input(normal, g.parted(full)...)},
			whole: true}
	})
}
