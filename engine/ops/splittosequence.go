package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// SplitToSequence cuts input along an axis into a sequence of parts: of the extents that split [k] gives, of the one extent that a scalar
// split gives (the last may be smaller), or of extent 1, whose axis goes when keepdims is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__SplitToSequence.html
var SplitToSequence = new(graph.Spec)

type splitToSequenceAttrs struct {
	Axis     int  `onnx:"axis,default=0"`
	KeepDims bool `onnx:"keepdims,default=1"`
}

func init() {
	define(SplitToSequence, graph.Def[splitToSequenceAttrs]{
		Name: "SplitToSequence", Since: []int{11, 24}, Doc: "https://onnx.ai/onnx/operators/onnx__SplitToSequence.html",
		In:  []graph.Formal{{Name: "input"}, {Name: "split", Optional: true, NoGrad: true, Types: indexes}},
		Out: []graph.Formal{{Name: "output_sequence"}}, Infer: atRun[splitToSequenceAttrs],
		Types: func(_ *splitToSequenceAttrs, in, out []tensor.DType) (err error) {
			out[0], err = sequenceType(in[0])
			return err
		},
		Run: func(a *splitToSequenceAttrs, c *graph.RunCtx) error {
			x := c.In[0]
			k, err := axis(a.Axis, x.Rank())
			if err != nil {
				return err
			}
			sizes, err := partSizes(c, x.Dim(k))
			if err != nil {
				return err
			}
			if err := c.Budget(graph.StorageBytes(x.DType(), x.Len()) + tensor.Overhead*len(sizes)); err != nil {
				return err
			}
			items := make([]*tensor.Tensor, len(sizes))
			pos := 0
			for i, n := range sizes {
				shape := append([]int{}, x.Shape()...)
				shape[k] = n
				part := tensor.New(x.DType(), shape...)
				copyPart(c, part, x, k, pos, false)
				if pos += n; !a.KeepDims && !c.Has(1) {
					part = part.Reshape(append(shape[:k:k], shape[k+1:]...)...)
				}
				items[i] = part
			}
			return setSequence(c, x.DType(), items)
		},
		Grad: func(a *splitToSequenceAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			join := &concatFromSequenceAttrs{Axis: a.Axis, NewAxis: !a.KeepDims && input(n, 1) == 0}
			return only(n, 0, b.Add(ConcatFromSequence, join, dy[0])), nil
		},
	})
}

// partSizes are the extents of the parts of an axis of extent d, by input 1.
func partSizes(c *graph.RunCtx, d int) ([]int, error) {
	each := 1
	if c.Has(1) {
		list, err := graph.IntsOf(c.In[1])
		if err != nil {
			return nil, fmt.Errorf("split %w", err)
		}
		if c.In[1].Rank() > 0 {
			left := d
			for _, n := range list {
				if n < 0 || n > left {
					return nil, fmt.Errorf("parts of extents %v do not fill an axis of extent %d", list, d)
				}
				left -= n
			}
			if left > 0 {
				return nil, fmt.Errorf("parts of extents %v do not fill an axis of extent %d", list, d)
			}
			return list, nil
		}
		if each = list[0]; each <= 0 {
			return nil, fmt.Errorf("parts of extent %d", each)
		}
	}
	if err := c.Budget(8 * (d / each)); err != nil {
		return nil, err
	}
	var sizes []int
	for ; d > 0; d -= each {
		sizes = append(sizes, min(each, d))
	}
	return sizes, nil
}
