package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Concat joins its inputs along an axis.
//
// Source: https://onnx.ai/onnx/operators/onnx__Concat.html
var Concat = new(graph.Spec)

var concatOld = new(graph.Spec)

// SplitLike cuts dY along an axis into one part for each further input, of that input's extent: the gradient of Concat.
var SplitLike = new(graph.Spec)

type concatAttrs struct {
	Axis int `onnx:"axis,required"`
}

type concatOldAttrs struct {
	Axis int `onnx:"axis,default=1"`
}

func init() {
	def := graph.Def[concatAttrs]{
		Name: "Concat", Role: graph.Move, Since: []int{4, 11, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__Concat.html",
		In: []graph.Formal{{Name: "inputs", Variadic: true}}, Out: []graph.Formal{{Name: "concat_result"}},
		Infer: func(a *concatAttrs, c *graph.InferCtx) error { return inferConcat(a.Axis, c) },
		Run:   func(a *concatAttrs, c *graph.RunCtx) error { return runConcat(a.Axis, c) },
		Grad: func(a *concatAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradConcat(a.Axis, b, n, dy[0], need)
		},
	}
	define(Concat, def)
	define(concatOld, graph.Def[concatOldAttrs]{
		Name: "Concat", Role: graph.Move, Since: []int{1}, Doc: def.Doc, In: def.In, Out: def.Out,
		Infer: func(a *concatOldAttrs, c *graph.InferCtx) error { return inferConcat(a.Axis, c) },
		Run:   func(a *concatOldAttrs, c *graph.RunCtx) error { return runConcat(a.Axis, c) },
		Grad: func(a *concatOldAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradConcat(a.Axis, b, n, dy[0], need)
		},
	})
	define(SplitLike, graph.Def[concatAttrs]{
		Domain: Private, Name: "SplitLike", Since: []int{1}, Doc: "gradient of Concat",
		In:  []graph.Formal{{Name: "dY"}, {Name: "likes", Variadic: true, NoGrad: true, Shape: true}},
		Out: []graph.Formal{{Name: "parts", Variadic: true, Optional: true}},
		Infer: func(a *concatAttrs, c *graph.InferCtx) error {
			k, err := axis(a.Axis, len(c.Shape(0)))
			if err != nil {
				return err
			}
			total := 0
			for i := 1; i < len(c.In); i++ {
				if len(c.Shape(i)) != len(c.Shape(0)) {
					return fmt.Errorf("shape %v is no part of %v", c.Shape(i), c.Shape(0))
				}
				total += c.Shape(i)[k]
				c.Out(i-1, c.Shape(i)...)
			}
			if total != c.Shape(0)[k] {
				return fmt.Errorf("axis %d has extent %d, the parts have %d", k, c.Shape(0)[k], total)
			}
			return nil
		},
		Run: func(a *concatAttrs, c *graph.RunCtx) error {
			k, err := axis(a.Axis, c.In[0].Rank())
			if err != nil {
				return err
			}
			at := 0
			for i, like := range c.In[1:] {
				if i < len(c.Out) && c.Out[i] != nil {
					copyPart(c, c.Out[i], c.In[0], k, at, false)
				}
				at += like.Dim(k)
			}
			return nil
		},
		Grad: func(a *concatAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			parts := make([]graph.Value, n.NumIn-1)
			for i := range parts {
				if i < len(dy) && dy[i] != 0 {
					parts[i] = dy[i]
				} else {
					parts[i] = Fill(b, n.In[i+1], 0)
				}
			}
			return only(n, 0, b.Add(Concat, &concatAttrs{Axis: a.Axis}, parts...)), nil
		},
		Lower: func(a *concatAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			sizes := make([]graph.Value, n.NumIn-1)
			for i, like := range n.In[1:n.NumIn] {
				sizes[i] = b.Add(Gather, nil, b.Add(Shape, nil, like), b.Ints(a.Axis))
			}
			return b.AddN(Split, &splitAttrs{Axis: a.Axis}, len(sizes), n.In[0], b.Add(Concat, &concatAttrs{}, sizes...)), nil
		},
	})
}

func inferConcat(at int, c *graph.InferCtx) error {
	first := c.Shape(0)
	k, err := axis(at, len(first))
	if err != nil {
		return err
	}
	out := slices.Clone(first)
	for i := 1; i < len(c.In); i++ {
		s := c.Shape(i)
		if len(s) != len(first) {
			return fmt.Errorf("input %d has shape %v, the first %v", i, s, first)
		}
		for j := range s {
			if j != k && s[j] != first[j] {
				return fmt.Errorf("input %d has shape %v, the first %v: they differ on axis %d", i, s, first, j)
			}
		}
		if c.DType(i) != c.DType(0) {
			return fmt.Errorf("input %d has type %v, the first %v", i, c.DType(i), c.DType(0))
		}
		out[k] += s[k]
	}
	c.Out(0, out...)
	return nil
}

func runConcat(at int, c *graph.RunCtx) error {
	k, err := axis(at, c.Out[0].Rank())
	if err != nil {
		return err
	}
	pos := 0
	for _, t := range c.In[:c.Node.NumIn] {
		copyPart(c, t, c.Out[0], k, pos, true)
		pos += t.Dim(k)
	}
	return nil
}

// copyPart copies part from the range of whole that starts at pos on axis k, or into it.
func copyPart(c *graph.RunCtx, part, whole *tensor.Tensor, k, pos int, into bool) {
	sp, sw := strides(part.Shape()), strides(whole.Shape())
	if into {
		copyStrided(c.Pool, whole, part, walk{ext: part.Shape(), ds: sw, ss: sp, do: pos * sw[k]})
		return
	}
	copyStrided(c.Pool, part, whole, walk{ext: part.Shape(), ds: sp, ss: sw, so: pos * sw[k]})
}

func gradConcat(at int, b *graph.Builder, n *graph.Node, dy graph.Value, need []bool) ([]graph.Value, error) {
	out := b.AddNode("", SplitLike, &concatAttrs{Axis: at}, append([]graph.Value{dy}, n.In[:n.NumIn]...), need[:n.NumIn])
	if out == nil {
		return nil, b.Err()
	}
	return out.Out, nil
}
