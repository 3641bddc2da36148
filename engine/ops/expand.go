package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Expand broadcasts input to the shape that input and the target shape broadcast to.
//
// Source: https://onnx.ai/onnx/operators/onnx__Expand.html
var Expand = new(graph.Spec)

// ExpandLike is X broadcast to the shape of like: the gradient of a sum.
var ExpandLike = new(graph.Spec)

func init() {
	define(Expand, graph.Def[noAttrs]{
		Name: "Expand", Role: graph.Move, Since: []int{8, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__Expand.html",
		In: []graph.Formal{{Name: "input"}, {Name: "shape", NoGrad: true, Types: int64s}}, Out: []graph.Formal{{Name: "output"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			target, err := c.Ints(1)
			if err != nil {
				return err
			}
			out, err := broadcast(c.Shape(0), target)
			if err != nil {
				return err
			}
			c.Out(0, out...)
			return nil
		},
		Run: runExpand,
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, sumLike(b, dy[0], n.In[0])), nil
		},
		PerExample: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ int) (graph.PerExample, error) {
			g := b.Add(PerExampleSumLike, nil, dy[0], n.In[0])
			return graph.PerExample{Grad: g, Norm2: RowSumSquares(b, g)}, nil
		},
	})
	define(ExpandLike, graph.Def[noAttrs]{
		Domain: Private, Name: "ExpandLike", Since: []int{1}, Doc: "X broadcast to the shape of like",
		In: []graph.Formal{{Name: "X"}, {Name: "like", NoGrad: true, Shape: true}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			out, err := broadcast(c.Shape(0), c.Shape(1))
			if err != nil || !out.Equal(c.Shape(1)) {
				return fmt.Errorf("shape %v does not broadcast to %v", c.Shape(0), c.Shape(1))
			}
			c.Out(0, out...)
			return nil
		},
		Run: runExpand,
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, sumLike(b, dy[0], n.In[0])), nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(Expand, nil, n.In[0], b.Add(Shape, nil, n.In[1]))}, nil
		},
	})
}

func runExpand(_ *noAttrs, c *graph.RunCtx) error {
	out := c.Out[0].Shape()
	copyStrided(c.Pool, c.Out[0], c.In[0], walk{ext: out, ds: strides(out), ss: expandStrides(c.In[0].Shape(), out)})
	return nil
}

// expandStrides are the strides of a tensor of shape s that is broadcast to shape to.
func expandStrides(s, to tensor.Shape) []int {
	st, out := strides(s), make([]int, len(to))
	for i, d := range s {
		if d != 1 {
			out[i+len(to)-len(s)] = st[i]
		}
	}
	return out
}
