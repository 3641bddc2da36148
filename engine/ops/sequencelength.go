package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// SequenceLength is the number of elements, an int64 scalar.
//
// Source: https://onnx.ai/onnx/operators/onnx__SequenceLength.html
var SequenceLength = new(graph.Spec)

func init() {
	define(SequenceLength, graph.Def[noAttrs]{
		Name: "SequenceLength", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__SequenceLength.html",
		In: []graph.Formal{{Name: "input_sequence", Kinds: sequences, NoGrad: true}}, Out: []graph.Formal{{Name: "length"}},
		Types: outType[noAttrs](tensor.Int64), Infer: sameShape[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			c.Out[0].I64()[0] = int64(c.In[0].NumItems())
			return nil
		},
	})
}
