package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// SequenceInsert is the sequence with tensor put in before the element at position, counted from the end when negative; without a position
// at the end.
//
// Source: https://onnx.ai/onnx/operators/onnx__SequenceInsert.html
var SequenceInsert = new(graph.Spec)

func init() {
	define(SequenceInsert, graph.Def[noAttrs]{
		Name: "SequenceInsert", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__SequenceInsert.html",
		In: []graph.Formal{{Name: "input_sequence", Kinds: sequences}, {Name: "tensor"},
			{Name: "position", Optional: true, NoGrad: true, Types: indexes}},
		Out: []graph.Formal{{Name: "output_sequence"}}, Types: typeOf[noAttrs](0), Infer: atRun[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			k, err := position(c, 2, c.In[0].NumItems(), true)
			if err != nil {
				return err
			}
			x, err := own(c.In[1], c.In[0].DType().Inner())
			if err != nil {
				return err
			}
			s, err := tensor.Insert(c.In[0], k, x)
			if err != nil {
				return err
			}
			return setGrown(c, s)
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx, at := make([]graph.Value, n.NumIn), placeOf(b, n, n.In[0], 2)
			if need[0] {
				dx[0] = b.Add(SequenceErase, nil, dy[0], at)
			}
			if need[1] {
				dx[1] = b.Add(SequenceAt, nil, dy[0], at)
			}
			return dx, nil
		},
	})
}
