package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Celu is Y = max(0, X) + min(0, alpha·(e^(X/alpha) - 1)), elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Celu.html
var Celu = new(graph.Spec)

type celuAttrs struct {
	Alpha float32 `onnx:"alpha,default=1"`
}

func init() {
	define(Celu, graph.Def[celuAttrs]{
		Name: "Celu", Role: graph.Activation, Since: []int{12, 28}, Doc: "https://onnx.ai/onnx/operators/onnx__Celu.html",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[celuAttrs],
		Run: func(a *celuAttrs, c *graph.RunCtx) error {
			k := float64(a.Alpha)
			return unarySigned(c, func(x float64) float64 { return max(0, x) + min(0, k*math.Expm1(x/k)) }, nil)
		},
		Grad: func(a *celuAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			// Below 0 the derivative is e^(X/alpha) = Y/alpha + 1.
			d := b.DType(dy[0])
			below := mul(b, dy[0], add(b, div(b, n.Out[0], b.Scalar(d, float64(a.Alpha))), b.Scalar(d, 1)))
			return []graph.Value{b.Add(Where, nil, positive(b, n.In[0]), dy[0], below)}, nil
		},
	})
}
