package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Swish is Y = X·sigmoid(alpha·X), elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Swish.html
var Swish = new(graph.Spec)

type swishAttrs struct {
	Alpha float32 `onnx:"alpha,default=1"`
}

func init() {
	define(Swish, graph.Def[swishAttrs]{
		Name: "Swish", Role: graph.Activation, Since: []int{24}, Doc: "https://onnx.ai/onnx/operators/onnx__Swish.html",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[swishAttrs],
		Run: func(a *swishAttrs, c *graph.RunCtx) error {
			if a.Alpha == 1 && c.In[0].DType() == tensor.Float32 {
				kernel.SiluF32(c.Pool, c.Out[0].F32(), c.In[0].F32())
				return nil
			}
			k := float64(a.Alpha)
			return unarySigned(c, func(x float64) float64 { return x * sigmoid(k*x) }, nil)
		},
		Grad: func(a *swishAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			// s + alpha·Y·(1-s), s = sigmoid(alpha·X).
			s := b.Add(Sigmoid, nil, scaled(b, n.In[0], a.Alpha))
			slope := add(b, s, mul(b, scaled(b, n.Out[0], a.Alpha), sub(b, one(b, s), s)))
			return []graph.Value{mul(b, dy[0], slope)}, nil
		},
	})
}
