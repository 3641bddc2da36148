package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Not is Y = not X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Not.html
var Not = new(graph.Spec)

func init() {
	define(Not, graph.Def[noAttrs]{
		Name: "Not", Since: []int{1}, Doc: "https://onnx.ai/onnx/operators/onnx__Not.html",
		In: []graph.Formal{{Name: "X", Types: bools}}, Out: []graph.Formal{{Name: "Y"}}, InPlace: [][2]int{{0, 0}},
		Infer: sameShape[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			kernel.Map(c.Pool, tensor.Data[bool](c.Out[0]), tensor.Data[bool](c.In[0]), func(x bool) bool { return !x })
			return nil
		},
	})
}
