package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// SequenceErase is the sequence without the element at position, counted from the end when negative; without a position the last.
//
// Source: https://onnx.ai/onnx/operators/onnx__SequenceErase.html
var SequenceErase = new(graph.Spec)

// SequenceEraseGrad is the gradient of SequenceErase: dY with zeros where the element was.
var SequenceEraseGrad = new(graph.Spec)

func init() {
	at := graph.Formal{Name: "position", Optional: true, NoGrad: true, Types: indexes}
	define(SequenceErase, graph.Def[noAttrs]{
		Name: "SequenceErase", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__SequenceErase.html",
		In: []graph.Formal{{Name: "input_sequence", Kinds: sequences}, at}, Out: []graph.Formal{{Name: "output_sequence"}},
		Types: typeOf[noAttrs](0), Infer: atRun[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			n := c.In[0].NumItems()
			if n == 0 {
				return fmt.Errorf("the sequence has no element to erase")
			}
			k, err := position(c, 1, n, false)
			if err != nil {
				return err
			}
			s, err := tensor.Erase(c.In[0], k)
			if err != nil {
				return err
			}
			return setGrown(c, s)
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			at := input(n, 1)
			if at == 0 {
				at = b.Const(tensor.Scalar(int64(-1)))
			}
			return only(n, 0, b.Add(SequenceEraseGrad, nil, n.In[0], at, dy[0])), nil
		},
	})
	at.Optional = false
	define(SequenceEraseGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "SequenceEraseGrad", Since: []int{1}, Doc: "gradient of SequenceErase",
		In:  []graph.Formal{{Name: "like", Kinds: sequences, NoGrad: true}, at, {Name: "dY", Kinds: sequences}},
		Out: []graph.Formal{{Name: "dX"}}, Types: typeOf[noAttrs](2), Infer: atRun[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			like, dy := c.In[0].Items(), c.In[2].Items()
			k, err := position(c, 1, len(like), false)
			if err != nil {
				return err
			}
			zero, err := zerosLike(c, like[k])
			if err != nil {
				return err
			}
			return setSequence(c, c.In[2].DType().Inner(), slices.Concat(dy[:k:k], []*tensor.Tensor{zero}, dy[k:]))
		},
		Lower: lowerSequenceEraseGrad,
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 2, b.Add(SequenceErase, nil, dy[0], n.In[1])), nil
		},
	})
}
