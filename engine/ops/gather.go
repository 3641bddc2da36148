package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Gather takes entries of data along an axis: with axis 0, Y[i…] = data[indices[i…]], an embedding.
//
// Source: https://onnx.ai/onnx/operators/onnx__Gather.html
var Gather = new(graph.Spec)

// GatherGrad adds up dY at the entries that Gather takes, in the shape of like. Inputs dY, indices, like.
var GatherGrad = new(graph.Spec)

// GatherPerExample is the gradient of each example by the table data [V,…] of Gather on axis 0: [N,V,…]. Inputs dY [N,…], indices [N,…],
// data.
var GatherPerExample = new(graph.Spec)

// GatherPerExampleNorm2 is the squared norm of GatherPerExample, [N], without making it: only entries that occur in an example count.
var GatherPerExampleNorm2 = new(graph.Spec)

// GatherAxis is the axis of its data, of the given rank, that n takes entries along, counted from the front; -1 for nodes that are no
// Gather.
func GatherAxis(n *graph.Node, rank int) int {
	if a, ok := n.Attrs.(*gatherAttrs); ok {
		if k, err := axis(a.Axis, rank); err == nil {
			return k
		}
	}
	return -1
}

type gatherAttrs struct {
	Axis int `onnx:"axis,default=0"`
}

func init() {
	define(Gather, graph.Def[gatherAttrs]{
		Name: "Gather", Role: graph.Move, Since: []int{1, 11, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__Gather.html",
		In:  []graph.Formal{{Name: "data", Weight: true}, {Name: "indices", NoGrad: true, Types: indexes}},
		Out: []graph.Formal{{Name: "output"}},
		Infer: func(a *gatherAttrs, c *graph.InferCtx) error {
			k, err := axis(a.Axis, len(c.Shape(0)))
			if err != nil {
				return err
			}
			c.Out(0, gathered(c.Shape(0), c.Shape(1), k)...)
			return nil
		},
		Run: func(a *gatherAttrs, c *graph.RunCtx) error {
			at, inner, err := gatherAt(a, c.In[0].Shape(), c.In[1])
			if err != nil {
				return err
			}
			takeBlocks(c.Pool, c.Out[0], c.In[0], at, inner)
			return nil
		},
		Grad: func(a *gatherAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(GatherGrad, a, dy[0], n.In[1], n.In[0])), nil
		},
		PerExample: func(a *gatherAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ int) (graph.PerExample, error) {
			if a.Axis != 0 {
				return graph.PerExample{}, fmt.Errorf("the entries are not those of its first axis: %w", graph.ErrNoGradient)
			}
			in := []graph.Value{dy[0], n.In[1], n.In[0]}
			return graph.PerExample{Grad: b.Add(GatherPerExample, nil, in...), Norm2: b.Add(GatherPerExampleNorm2, nil, in...),
				Left: n.In[1], Right: dy[0]}, nil
		},
	})
	define(GatherGrad, graph.Def[gatherAttrs]{
		Domain: Private, Name: "GatherGrad", Since: []int{1}, Doc: "gradient of Gather",
		In: []graph.Formal{{Name: "dY", Types: floats}, {Name: "indices", NoGrad: true, Types: indexes}, {Name: "like", NoGrad: true,
			Shape: true}},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(a *gatherAttrs, c *graph.InferCtx) error {
			k, err := axis(a.Axis, len(c.Shape(2)))
			if err != nil {
				return err
			}
			if want := gathered(c.Shape(2), c.Shape(1), k); !want.Equal(c.Shape(0)) {
				return fmt.Errorf("dY has shape %v, want %v", c.Shape(0), want)
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(a *gatherAttrs, c *graph.RunCtx) error {
			at, inner, err := gatherAt(a, c.Out[0].Shape(), c.In[1])
			if err != nil {
				return err
			}
			fill(c.Out[0], nil)
			return reduceBlocks(c.Pool, c.Out[0], c.In[0], at, inner, "add")
		},
		Grad: func(a *gatherAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(Gather, a, dy[0], n.In[1])), nil
		},
		Lower: func(a *gatherAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{addBack(b, n.In[0], n.In[2], func(index graph.Value) graph.Value {
				return b.Add(Gather, a, index, n.In[1])
			})}, nil
		},
	})
	perExample := []graph.Formal{{Name: "dY", Types: floats}, {Name: "indices", NoGrad: true, Types: indexes},
		{Name: "data", NoGrad: true}}
	define(GatherPerExample, graph.Def[noAttrs]{
		Domain: Private, Name: "GatherPerExample", Since: []int{1}, Doc: "per-example gradient of an embedding",
		In: perExample, Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			n, err := gatherExamples(c)
			if err != nil {
				return err
			}
			c.Out(0, append([]int{n}, c.Shape(2)...)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			s, n := c.In[2].Shape(), c.Out[0].Dim(0)
			at, inner, err := gatherAt(&gatherAttrs{}, s, c.In[1])
			if err != nil {
				return err
			}
			for i := range at {
				at[i] += i / (len(at) / n) * s.Len()
			}
			fill(c.Out[0], nil)
			return reduceBlocks(c.Pool, c.Out[0], c.In[0], at, inner, "add")
		},
	})
	define(GatherPerExampleNorm2, graph.Def[noAttrs]{
		Domain: Private, Name: "GatherPerExampleNorm2", Since: []int{1}, Doc: "per-example gradient norm of an embedding",
		In: perExample, Out: []graph.Formal{{Name: "norm2"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			n, err := gatherExamples(c)
			if err != nil {
				return err
			}
			c.Out(0, n)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			at, inner, err := gatherAt(&gatherAttrs{}, c.In[2].Shape(), c.In[1])
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				gatherNorm2(c, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), at, inner)
			} else {
				gatherNorm2(c, c.Out[0].F32(), c.In[0].F32(), at, inner)
			}
			return nil
		},
	})
}

// gathered is the shape of Gather's result: the indices' in the place of axis k.
func gathered(data, indices tensor.Shape, k int) tensor.Shape {
	return slices.Concat(data[:k], indices, data[k+1:])
}

// gatherAt is where in data the blocks of inner elements are that Gather takes.
func gatherAt(a *gatherAttrs, data tensor.Shape, indices *tensor.Tensor) (at []int, inner int, err error) {
	k, err := axis(a.Axis, len(data))
	if err != nil {
		return nil, 0, err
	}
	idx, err := indicesIn(indices, data[k])
	if err != nil {
		return nil, 0, err
	}
	outer, inner := product(data[:k]), product(data[k+1:])
	at = make([]int, 0, outer*len(idx))
	for o := range outer {
		for _, i := range idx {
			at = append(at, (o*data[k]+i)*inner)
		}
	}
	return at, inner, nil
}

// gatherExamples is the number of examples.
func gatherExamples(c *graph.InferCtx) (int, error) {
	dy, idx, data := c.Shape(0), c.Shape(1), c.Shape(2)
	if len(idx) == 0 || len(data) == 0 || !gathered(data, idx, 0).Equal(dy) {
		return 0, fmt.Errorf("dY of shape %v, indices of shape %v and data of shape %v do not pair: %w", dy, idx, data,
			graph.ErrNoGradient)
	}
	return idx[0], nil
}

// gatherNorm2 is, for each example, Σ over the distinct entries of ‖Σ of dY at that entry‖².
func gatherNorm2[T float32 | float64](c *graph.RunCtx, out, dy []T, at []int, inner int) {
	n := len(out)
	if n == 0 {
		return
	}
	t := len(at) / n
	c.Pool.For(n, max(1, 1<<14/max(t*inner, 1)), func(lo, hi int) {
		order, row := make([]int, t), make([]T, inner)
		for e := lo; e < hi; e++ {
			for i := range order {
				order[i] = e*t + i
			}
			slices.SortFunc(order, func(x, y int) int {
				if at[x] != at[y] {
					return at[x] - at[y]
				}
				return x - y
			})
			norm := 0.0
			for i := 0; i < t; {
				j := i + 1
				for j < t && at[order[j]] == at[order[i]] {
					j++
				}
				if j == i+1 {
					norm += sumSquares(dy[order[i]*inner : (order[i]+1)*inner])
				} else {
					clear(row)
					for _, o := range order[i:j] {
						for x, v := range dy[o*inner : (o+1)*inner] {
							row[x] += v
						}
					}
					norm += sumSquares(row)
				}
				i = j
			}
			out[e] = T(norm)
		}
	})
}

// FromInput reports whether the content of v, not only its shape, depends on an input of g.
func FromInput(g *graph.Graph, v graph.Value) bool {
	seen := map[graph.Value]bool{}
	var walk func(v graph.Value) bool
	walk = func(v graph.Value) bool {
		if v == 0 || seen[v] {
			return false
		}
		seen[v] = true
		in := g.Info(v)
		if in.Def == nil {
			return in.Kind == graph.Input
		}
		return in.Def.Op != Shape && in.Def.Op != Size && slices.ContainsFunc(in.Def.In, walk)
	}
	return walk(v)
}
