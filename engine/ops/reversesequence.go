package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// ReverseSequence turns round the first sequence_lens[i] steps of sequence i of the batch and leaves the rest. One of the first two axes
// of input is the time, the other the batch. It is its own inverse, and its own gradient.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReverseSequence.html
var ReverseSequence = new(graph.Spec)

type reverseSequenceAttrs struct {
	Batch int `onnx:"batch_axis,default=1"`
	Time  int `onnx:"time_axis,default=0"`
}

func init() {
	define(ReverseSequence, graph.Def[reverseSequenceAttrs]{
		Name: "ReverseSequence", Role: graph.Move, Since: []int{10}, Doc: "https://onnx.ai/onnx/operators/onnx__ReverseSequence.html",
		In:  []graph.Formal{{Name: "input"}, {Name: "sequence_lens", NoGrad: true, Types: int64s}},
		Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *reverseSequenceAttrs, _ *graph.Node) error {
			if a.Batch+a.Time != 1 || a.Batch*a.Time != 0 {
				return fmt.Errorf("batch_axis is %d and time_axis is %d, want 0 and 1 or 1 and 0", a.Batch, a.Time)
			}
			return nil
		},
		Infer: func(a *reverseSequenceAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			if len(s) < 2 {
				return fmt.Errorf("input has shape %v, want at least two axes", s)
			}
			if l := c.Shape(1); len(l) != 1 || l[0] != s[a.Batch] {
				return fmt.Errorf("sequence_lens has shape %v, want [%d], one for each sequence of the batch", l, s[a.Batch])
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(a *reverseSequenceAttrs, c *graph.RunCtx) error {
			s, lens := c.In[0].Shape(), c.In[1].I64()
			steps := s[a.Time]
			for i, n := range lens {
				if n < 0 || n > int64(steps) {
					return fmt.Errorf("sequence_lens[%d] is %d, want 0 to %d", i, n, steps)
				}
			}
			k := product(s[2:])
			at := make([]int, s[0]*s[1])
			for i := range at {
				pos := [2]int{i / s[1], i % s[1]}
				if n := int(lens[pos[a.Batch]]); pos[a.Time] < n {
					pos[a.Time] = n - 1 - pos[a.Time]
				}
				at[i] = (pos[0]*s[1] + pos[1]) * k
			}
			takeBlocks(c.Pool, c.Out[0], c.In[0], at, k)
			return nil
		},
		Grad: func(a *reverseSequenceAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(ReverseSequence, a, dy[0], n.In[1])), nil
		},
	})
}
