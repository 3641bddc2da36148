package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// SwiGLU is Y = A·sigmoid(alpha·A)·B, elementwise; A and B have one shape.
//
// Source: https://onnx.ai/onnx/operators/onnx__SwiGLU.html
var SwiGLU = new(graph.Spec)

func init() {
	define(SwiGLU, graph.Def[swishAttrs]{
		Name: "SwiGLU", Role: graph.Activation, Since: []int{28}, Doc: "https://onnx.ai/onnx/operators/onnx__SwiGLU.html",
		In: []graph.Formal{{Name: "A", Types: floats}, {Name: "B", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}, {1, 0}}, Types: sameOperands[swishAttrs],
		Infer: func(_ *swishAttrs, c *graph.InferCtx) error {
			if !c.Shape(0).Equal(c.Shape(1)) {
				return fmt.Errorf("A has shape %v and B %v: SwiGLU does not broadcast", c.Shape(0), c.Shape(1))
			}
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *swishAttrs, c *graph.RunCtx) error {
			k := float64(a.Alpha)
			return map2(c, func(x, y float64) float64 { return x * sigmoid(k*x) * y })
		},
		Lower: func(a *swishAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{mul(b, b.Add(Swish, &swishAttrs{Alpha: a.Alpha}, n.In[0]), n.In[1])}, nil
		},
	})
}
