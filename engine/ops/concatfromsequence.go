package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// ConcatFromSequence joins the tensors of a sequence along an axis, or along a new one.
//
// Source: https://onnx.ai/onnx/operators/onnx__ConcatFromSequence.html
var ConcatFromSequence = new(graph.Spec)

// SplitLikeSequence cuts dY into parts of the shapes of the tensors of like: the gradient of ConcatFromSequence.
var SplitLikeSequence = new(graph.Spec)

type concatFromSequenceAttrs struct {
	Axis    int  `onnx:"axis,required"`
	NewAxis bool `onnx:"new_axis,default=0"`
}

func init() {
	define(ConcatFromSequence, graph.Def[concatFromSequenceAttrs]{
		Name: "ConcatFromSequence", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__ConcatFromSequence.html",
		In: []graph.Formal{{Name: "input_sequence", Kinds: sequences}}, Out: []graph.Formal{{Name: "concat_result"}},
		Types: containing[concatFromSequenceAttrs](0), Infer: atRun[concatFromSequenceAttrs],
		Run: func(a *concatFromSequenceAttrs, c *graph.RunCtx) error {
			items := c.In[0].Items()
			if len(items) == 0 {
				return fmt.Errorf("the sequence is empty: what it would be joined to has no shape")
			}
			s, k, err := a.joined(items)
			if err != nil {
				return err
			}
			out, err := c.Alloc(0, items[0].DType(), s...)
			if err != nil {
				return err
			}
			pos := 0
			for _, t := range items {
				part := a.part(t, k)
				copyPart(c, part, out, k, pos, true)
				pos += part.Dim(k)
			}
			return nil
		},
		Grad: func(a *concatFromSequenceAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(SplitLikeSequence, a, n.In[0], dy[0])), nil
		},
	})
	define(SplitLikeSequence, graph.Def[concatFromSequenceAttrs]{
		Domain: Private, Name: "SplitLikeSequence", Since: []int{1}, Doc: "gradient of ConcatFromSequence",
		In:  []graph.Formal{{Name: "like", Kinds: sequences, NoGrad: true}, {Name: "dY"}},
		Out: []graph.Formal{{Name: "parts"}}, Infer: atRun[concatFromSequenceAttrs],
		Types: func(_ *concatFromSequenceAttrs, in, out []tensor.DType) (err error) {
			out[0], err = sequenceType(in[1])
			return err
		},
		Run: func(a *concatFromSequenceAttrs, c *graph.RunCtx) error {
			like := c.In[0].Items()
			_, k, err := a.joined(like)
			if err != nil {
				return err
			}
			items, pos := make([]*tensor.Tensor, len(like)), 0
			for i, t := range like {
				if items[i], err = tensor.Make("a part of a gradient", c.In[1].DType(), t.Shape()...); err != nil {
					return err
				}
				part := a.part(items[i], k)
				copyPart(c, part, c.In[1], k, pos, false)
				pos += part.Dim(k)
			}
			return setSequence(c, c.In[1].DType(), items)
		},
		Lower: lowerSplitLikeSequence,
		Grad: func(a *concatFromSequenceAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 1, b.Add(ConcatFromSequence, a, dy[0])), nil
		},
	})
}

// joined is the shape of what items become, and the axis that they are joined along.
func (a *concatFromSequenceAttrs) joined(items []*tensor.Tensor) (tensor.Shape, int, error) {
	s := append(tensor.Shape{}, items[0].Shape()...)
	if a.NewAxis {
		k, err := axis(a.Axis, len(s)+1)
		if err != nil {
			return nil, 0, err
		}
		for i, t := range items {
			if !t.Shape().Equal(s) {
				return nil, 0, fmt.Errorf("element %d has shape %v, element 0 %v: no new axis goes along both", i, t.Shape(), s)
			}
		}
		return append(append(s[:k:k], len(items)), s[k:]...), k, nil
	}
	k, err := axis(a.Axis, len(s))
	if err != nil {
		return nil, 0, err
	}
	s[k] = 0
	for i, t := range items {
		if t.Rank() != len(s) {
			return nil, 0, fmt.Errorf("element %d has rank %d, element 0 %d", i, t.Rank(), len(s))
		}
		for j, d := range t.Shape() {
			switch {
			case j == k:
				s[k] += d
			case d != s[j]:
				return nil, 0, fmt.Errorf("element %d has shape %v, element 0 %v: they differ beside axis %d", i, t.Shape(), items[0].Shape(), k)
			}
		}
	}
	return s, k, nil
}

// part is t as a part of what is joined along axis k.
func (a *concatFromSequenceAttrs) part(t *tensor.Tensor, k int) *tensor.Tensor {
	if !a.NewAxis {
		return t
	}
	s := t.Shape()
	return t.Reshape(append(append(s[:k:k], 1), s[k:]...)...)
}
