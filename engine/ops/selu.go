package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Selu is Y = gamma·X where X > 0, else gamma·alpha·(e^X - 1), elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Selu.html. The defaults of version 1 have fewer digits.
var Selu = new(graph.Spec)

type seluAttrs struct {
	Alpha float32 `onnx:"alpha,default=1.67326319217681884765625"`
	Gamma float32 `onnx:"gamma,default=1.05070102214813232421875"`
}

type seluOldAttrs struct {
	Alpha float32 `onnx:"alpha,default=1.6732"`
	Gamma float32 `onnx:"gamma,default=1.0507"`
}

func init() {
	in, out := []graph.Formal{{Name: "X", Types: floats}}, []graph.Formal{{Name: "Y"}}
	doc := "https://onnx.ai/onnx/operators/onnx__Selu.html"
	define(Selu, graph.Def[seluAttrs]{
		Name: "Selu", Role: graph.Activation, Since: []int{6, 22}, Doc: doc, In: in, Out: out, InPlace: [][2]int{{0, 0}},
		Infer: sameShape[seluAttrs],
		Run:   func(a *seluAttrs, c *graph.RunCtx) error { return runSelu(c, a) },
		Grad: func(a *seluAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return gradSelu(a, b, n, dy[0]), nil
		},
	})
	define(new(graph.Spec), graph.Def[seluOldAttrs]{
		Name: "Selu", Role: graph.Activation, Since: []int{1}, Doc: doc, In: in, Out: out, InPlace: [][2]int{{0, 0}},
		Infer: sameShape[seluOldAttrs],
		Run:   func(a *seluOldAttrs, c *graph.RunCtx) error { return runSelu(c, (*seluAttrs)(a)) },
		Grad: func(a *seluOldAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return gradSelu((*seluAttrs)(a), b, n, dy[0]), nil
		},
	})
}

func runSelu(c *graph.RunCtx, a *seluAttrs) error {
	k, g := float64(a.Alpha), float64(a.Gamma)
	return unarySigned(c, func(x float64) float64 {
		if x > 0 {
			return g * x
		}
		return g * k * math.Expm1(x)
	}, nil)
}

// gradSelu is gamma·dY where X > 0, else dY·gamma·alpha·e^X = dY·(Y + gamma·alpha).
func gradSelu(a *seluAttrs, b *graph.Builder, n *graph.Node, dy graph.Value) []graph.Value {
	k := b.Scalar(b.DType(dy), float64(a.Gamma)*float64(a.Alpha))
	below := mul(b, dy, add(b, n.Out[0], k))
	return []graph.Value{b.Add(Where, nil, positive(b, n.In[0]), scaled(b, dy, a.Gamma), below)}
}
