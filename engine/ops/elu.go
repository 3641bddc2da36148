package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Elu is Y = X where X > 0, else alpha·(e^X - 1), elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Elu.html
var Elu = new(graph.Spec)

type eluAttrs struct {
	Alpha float32 `onnx:"alpha,default=1"`
}

func init() {
	define(Elu, graph.Def[eluAttrs]{
		Name: "Elu", Role: graph.Activation, Since: []int{1, 6, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__Elu.html",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[eluAttrs],
		Run: func(a *eluAttrs, c *graph.RunCtx) error {
			k := float64(a.Alpha)
			return unarySigned(c, func(x float64) float64 {
				if x > 0 {
					return x
				}
				return k * math.Expm1(x)
			}, nil)
		},
		Grad: func(a *eluAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			// Below 0 the derivative is alpha·e^X = Y + alpha.
			k := b.Scalar(b.DType(dy[0]), float64(a.Alpha))
			below := mul(b, dy[0], add(b, n.Out[0], k))
			return []graph.Value{b.Add(Where, nil, positive(b, n.In[0]), dy[0], below)}, nil
		},
	})
}
