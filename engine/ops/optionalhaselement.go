package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// OptionalHasElement tells, in a bool scalar, whether its input is there: an optional that has a value or, from version 18, any other
// value.
//
// Source: https://onnx.ai/onnx/operators/onnx__OptionalHasElement.html
var OptionalHasElement = new(graph.Spec)

func init() {
	def := graph.Def[noAttrs]{
		Name: "OptionalHasElement", Since: []int{18}, Doc: "https://onnx.ai/onnx/operators/onnx__OptionalHasElement.html",
		In:    []graph.Formal{{Name: "input", Optional: true, NoGrad: true, Kinds: anyKind}},
		Out:   []graph.Formal{{Name: "output"}},
		Types: outType[noAttrs](tensor.Bool),
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.Out(0)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			there := c.Has(0)
			if there && c.In[0].DType().Kind() == tensor.Optional {
				there = len(c.In[0].Items()) > 0
			}
			tensor.Data[bool](c.Out[0])[0] = there
			return nil
		},
	}
	define(OptionalHasElement, def)
	def.Since, def.In = []int{15}, []graph.Formal{{Name: "input", NoGrad: true, Kinds: optionals}}
	define(new(graph.Spec), def)
}
