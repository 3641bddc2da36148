package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Gelu is Y = X·Φ(X), elementwise, Φ the normal distribution function; with approximate="tanh"
// Y = X/2·(1 + tanh(√(2/π)·(X + 0.044715·X³))).
//
// Source: https://onnx.ai/onnx/operators/onnx__Gelu.html
var Gelu = new(graph.Spec)

// GeluGrad is the gradient of Gelu: inputs X and dY, of one shape.
var GeluGrad = new(graph.Spec)

type geluAttrs struct {
	Approximate string `onnx:"approximate,default=none"`
}

const (
	geluScale = 0.7978845608028654 // √(2/π)
	geluCubic = 0.044715
)

func init() {
	define(Gelu, graph.Def[geluAttrs]{
		Name: "Gelu", Role: graph.Activation, Since: []int{20}, Doc: "https://onnx.ai/onnx/operators/onnx__Gelu.html",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[geluAttrs],
		Check: func(a *geluAttrs, _ *graph.Node) error {
			if a.Approximate != "none" && a.Approximate != "tanh" {
				return fmt.Errorf("attribute approximate is %q, want none or tanh", a.Approximate)
			}
			return nil
		},
		Run: func(a *geluAttrs, c *graph.RunCtx) error {
			tanh := a.Approximate == "tanh"
			if c.In[0].DType() == tensor.Float32 {
				if tanh {
					kernel.GeluTanhF32(c.Pool, c.Out[0].F32(), c.In[0].F32())
				} else {
					kernel.GeluF32(c.Pool, c.Out[0].F32(), c.In[0].F32())
				}
				return nil
			}
			return unarySigned(c, func(x float64) float64 {
				if tanh {
					return 0.5 * x * (1 + math.Tanh(geluScale*(x+geluCubic*x*x*x)))
				}
				return 0.5 * x * math.Erfc(-x/math.Sqrt2)
			}, nil)
		},
		Grad: func(a *geluAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(GeluGrad, a, n.In[0], dy[0])}, nil
		},
	})
	define(GeluGrad, graph.Def[geluAttrs]{
		Domain: Private, Name: "GeluGrad", Since: []int{1}, Doc: "gradient of Gelu",
		In: []graph.Formal{{Name: "X", Types: floats}, {Name: "dY", Types: floats}}, Out: []graph.Formal{{Name: "dX"}},
		InPlace: [][2]int{{1, 0}, {0, 0}}, Infer: sameShape[geluAttrs],
		Run: func(a *geluAttrs, c *graph.RunCtx) error {
			tanh := a.Approximate == "tanh"
			if c.In[0].DType() == tensor.Float32 {
				if tanh {
					kernel.GeluTanhGradF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].F32())
				} else {
					kernel.GeluGradF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].F32())
				}
				return nil
			}
			return map2(c, func(x, dy float64) float64 {
				if tanh {
					t := math.Tanh(geluScale * (x + geluCubic*x*x*x))
					return dy * 0.5 * (1 + t + x*(1-t*t)*geluScale*(1+3*geluCubic*x*x))
				}
				return dy * (0.5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-0.5*x*x)/math.Sqrt(2*math.Pi))
			})
		},
		Lower: func(a *geluAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x, dy := n.In[0], n.In[1]
			k := func(v float64) graph.Value { return b.Scalar(b.DType(x), v) }
			x2 := square(b, x)
			if a.Approximate == "tanh" {
				t := b.Add(Tanh, nil, scale(b, mul(b, x, add(b, scale(b, x2, geluCubic), k(1))), geluScale))
				inner := scale(b, add(b, scale(b, x2, 3*geluCubic), k(1)), geluScale)
				slope := add(b, add(b, t, k(1)), mul(b, mul(b, x, sub(b, k(1), square(b, t))), inner))
				return []graph.Value{mul(b, dy, scale(b, slope, 0.5))}, nil
			}
			cdf := scale(b, add(b, b.Add(Erf, nil, scale(b, x, 1/math.Sqrt2)), k(1)), 0.5)
			pdf := scale(b, b.Add(Exp, nil, scale(b, x2, -0.5)), 1/math.Sqrt(2*math.Pi))
			return []graph.Value{mul(b, dy, add(b, cdf, mul(b, x, pdf)))}, nil
		},
	})
}
