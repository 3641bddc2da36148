package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Size is the number of elements of its input, an int64 scalar.
//
// Source: https://onnx.ai/onnx/operators/onnx__Size.html
var Size = new(graph.Spec)

func init() {
	define(Size, graph.Def[noAttrs]{
		Name: "Size", Since: []int{1, 13, 19, 21, 23, 24, 25}, Doc: "https://onnx.ai/onnx/operators/onnx__Size.html",
		In: []graph.Formal{{Name: "data", NoGrad: true}}, Out: []graph.Formal{{Name: "size"}},
		Types: outType[noAttrs](tensor.Int64),
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.OutValue(0, tensor.Scalar(int64(c.Shape(0).Len())))
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			c.Out[0].I64()[0] = int64(c.In[0].Len())
			return nil
		},
	})
}
