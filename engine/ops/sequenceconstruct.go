package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// SequenceConstruct is the sequence of its inputs, tensors of one type.
//
// Source: https://onnx.ai/onnx/operators/onnx__SequenceConstruct.html
var SequenceConstruct = new(graph.Spec)

func init() {
	define(SequenceConstruct, graph.Def[noAttrs]{
		Name: "SequenceConstruct", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__SequenceConstruct.html",
		In: []graph.Formal{{Name: "inputs", Variadic: true}}, Out: []graph.Formal{{Name: "output_sequence"}},
		Types: func(_ *noAttrs, in, out []tensor.DType) (err error) {
			out[0], err = sequenceType(in[0])
			return err
		},
		Infer: atRun[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			inner, items := c.In[0].DType(), make([]*tensor.Tensor, c.Node.NumIn)
			for i := range items {
				var err error
				if items[i], err = own(c.In[i], inner); err != nil {
					return err
				}
			}
			return setSequence(c, inner, items)
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, n.NumIn)
			for i := range dx {
				if need[i] {
					dx[i] = b.Add(SequenceAt, nil, dy[0], b.Const(tensor.Scalar(int64(i))))
				}
			}
			return dx, nil
		},
	})
}
