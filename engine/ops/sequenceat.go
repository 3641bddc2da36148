package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// SequenceAt is the element at a position, counted from the end when negative.
//
// Source: https://onnx.ai/onnx/operators/onnx__SequenceAt.html
var SequenceAt = new(graph.Spec)

// SequenceAtGrad is the gradient of SequenceAt by the sequence: dY at the position, zeros elsewhere.
var SequenceAtGrad = new(graph.Spec)

func init() {
	at := graph.Formal{Name: "position", NoGrad: true, Types: indexes}
	define(SequenceAt, graph.Def[noAttrs]{
		Name: "SequenceAt", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__SequenceAt.html",
		In: []graph.Formal{{Name: "input_sequence", Kinds: sequences}, at}, Out: []graph.Formal{{Name: "tensor"}},
		Types: containing[noAttrs](0), Infer: atRun[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			k, err := position(c, 1, c.In[0].NumItems(), false)
			if err == nil {
				c.SetOut(0, c.In[0].Item(k))
			}
			return err
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(SequenceAtGrad, nil, n.In[0], n.In[1], dy[0])), nil
		},
	})
	define(SequenceAtGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "SequenceAtGrad", Since: []int{1}, Doc: "gradient of SequenceAt",
		In:  []graph.Formal{{Name: "like", Kinds: sequences, NoGrad: true}, at, {Name: "dY"}},
		Out: []graph.Formal{{Name: "dX"}}, Infer: atRun[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			like := c.In[0].Items()
			k, err := position(c, 1, len(like), false)
			if err != nil {
				return err
			}
			items := make([]*tensor.Tensor, len(like))
			for i, t := range like {
				if i == k {
					items[i] = c.In[2].Clone()
				} else if items[i], err = zerosLike(c, t); err != nil {
					return err
				}
			}
			return setSequence(c, c.In[2].DType(), items)
		},
		Lower: lowerSequenceAtGrad,
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 2, b.Add(SequenceAt, nil, dy[0], n.In[1])), nil
		},
	})
}
