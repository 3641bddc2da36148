package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// BitwiseNot turns over the bits of integers, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__BitwiseNot.html
var BitwiseNot = new(graph.Spec)

func init() {
	define(BitwiseNot, graph.Def[noAttrs]{
		Name: "BitwiseNot", Since: []int{18}, Doc: "https://onnx.ai/onnx/operators/onnx__BitwiseNot.html",
		In: []graph.Formal{{Name: "X", NoGrad: true, Types: integers}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			kernel.Map(c.Pool, c.Out[0].Bytes(), c.In[0].Bytes(), func(x byte) byte { return ^x })
			return nil
		},
	})
}
