package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// GatherND takes slices of data: each vector along the last axis of indices addresses one, within the batch of the first batch_dims axes.
//
// Source: https://onnx.ai/onnx/operators/onnx__GatherND.html
var GatherND = new(graph.Spec)

// GatherNDGrad adds up dY at the slices that GatherND takes, in the shape of like. Inputs dY, indices, like.
var GatherNDGrad = new(graph.Spec)

type gatherNDAttrs struct {
	BatchDims int `onnx:"batch_dims,default=0"`
}

func init() {
	define(GatherND, graph.Def[gatherNDAttrs]{
		Name: "GatherND", Role: graph.Move, Since: []int{11, 12, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__GatherND.html",
		In: []graph.Formal{{Name: "data"}, {Name: "indices", NoGrad: true, Types: int64s}}, Out: []graph.Formal{{Name: "output"}},
		Infer: func(a *gatherNDAttrs, c *graph.InferCtx) error {
			s, err := ndShape(a.BatchDims, c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(a *gatherNDAttrs, c *graph.RunCtx) error {
			at, inner, err := ndAt(a.BatchDims, c.In[0].Shape(), c.In[1])
			if err != nil {
				return err
			}
			takeBlocks(c.Pool, c.Out[0], c.In[0], at, inner)
			return nil
		},
		Grad: func(a *gatherNDAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(GatherNDGrad, a, dy[0], n.In[1], n.In[0])), nil
		},
	})
	define(GatherNDGrad, graph.Def[gatherNDAttrs]{
		Domain: Private, Name: "GatherNDGrad", Since: []int{1}, Doc: "gradient of GatherND",
		In:  []graph.Formal{{Name: "dY", Types: floats}, {Name: "indices", NoGrad: true, Types: int64s}, {Name: "like", NoGrad: true}},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(a *gatherNDAttrs, c *graph.InferCtx) error {
			s, err := ndShape(a.BatchDims, c.Shape(2), c.Shape(1))
			if err != nil {
				return err
			}
			if !s.Equal(c.Shape(0)) {
				return fmt.Errorf("dY has shape %v, want %v", c.Shape(0), s)
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(a *gatherNDAttrs, c *graph.RunCtx) error {
			at, inner, err := ndAt(a.BatchDims, c.Out[0].Shape(), c.In[1])
			if err != nil {
				return err
			}
			fill(c.Out[0], nil)
			return reduceBlocks(c.Pool, c.Out[0], c.In[0], at, inner, "add")
		},
		Grad: func(a *gatherNDAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(GatherND, a, dy[0], n.In[1])), nil
		},
		Lower: func(a *gatherNDAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{addBack(b, n.In[0], n.In[2], func(index graph.Value) graph.Value {
				return b.Add(GatherND, a, index, n.In[1])
			})}, nil
		},
	})
}

// ndShape is the shape of what indices address in data.
func ndShape(batch int, data, indices tensor.Shape) (tensor.Shape, error) {
	bad := fmt.Errorf("indices of shape %v do not address slices of shape %v with %d batch axes", indices, data, batch)
	if batch < 0 || len(indices) <= batch || len(data) <= batch || !indices[:batch].Equal(data[:batch]) {
		return nil, bad
	}
	k := indices[len(indices)-1]
	if k > len(data)-batch {
		return nil, bad
	}
	return slices.Concat(indices[:len(indices)-1], data[batch+k:]), nil
}

// ndAt is where in data the slices of inner elements are that indices address.
func ndAt(batch int, data tensor.Shape, indices *tensor.Tensor) (at []int, inner int, err error) {
	s := indices.Shape()
	if _, err := ndShape(batch, data, s); err != nil {
		return nil, 0, err
	}
	idx, err := graph.IntsOf(indices)
	if err != nil {
		return nil, 0, err
	}
	k := s[len(s)-1]
	ext, st := data[batch:batch+k], strides(data)[batch:batch+k]
	n, each := product(s[:len(s)-1]), product(s[batch:len(s)-1]) // vectors, and vectors of one batch
	at = make([]int, n)
	for i := range at {
		at[i] = i / each * product(data[batch:])
		for j, x := range idx[i*k : (i+1)*k] {
			if x < -ext[j] || x >= ext[j] {
				return nil, 0, fmt.Errorf("index %v is outside shape %v", idx[i*k:(i+1)*k], ext)
			}
			if x < 0 {
				x += ext[j]
			}
			at[i] += x * st[j]
		}
	}
	return at, product(data[batch+k:]), nil
}
