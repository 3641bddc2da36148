package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// MaxPool is the largest element of each window of X [N,C,i…]; Indices are its places in the flattened X, the first in scan order of equal ones.
//
// Source: https://onnx.ai/onnx/operators/onnx__MaxPool.html. Deviation: storage_order 1 for Indices is refused.
var MaxPool = new(graph.Spec)

// MaxPoolGrad is dX: dY added up at Indices in zeros of X's shape. Inputs dY, Indices, and X for its shape.
var MaxPoolGrad = new(graph.Spec)

// MaxPoolGather is X taken at Indices: the gradient of MaxPoolGrad. Inputs X, Indices.
var MaxPoolGather = new(graph.Spec)

func init() {
	def := graph.Def[poolAttrs]{
		Name: "MaxPool", Since: []int{8, 10, 11, 12, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__MaxPool.html",
		In:  []graph.Formal{{Name: "X", Types: []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int8, tensor.Uint8}}},
		Out: []graph.Formal{{Name: "Y"}, {Name: "Indices", Optional: true, NoGrad: true}},
		Types: func(_ *poolAttrs, in, out []tensor.DType) error {
			out[0] = in[0]
			if len(out) > 1 {
				out[1] = tensor.Int64
			}
			return nil
		},
		Infer: inferPool,
		Check: func(a *poolAttrs, n *graph.Node) error {
			if a.StorageOrder != 0 && len(n.Out) > 1 && n.Out[1] != 0 {
				return fmt.Errorf("attribute storage_order 1 is not supported")
			}
			return nil
		},
		Run: func(a *poolAttrs, c *graph.RunCtx) error {
			switch c.In[0].DType() {
			case tensor.Float64:
				return maxPool[float64](a, c)
			case tensor.Int8:
				return maxPool[int8](a, c)
			case tensor.Uint8:
				return maxPool[uint8](a, c)
			}
			return maxPool[float32](a, c)
		},
		Grad: func(a *poolAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			if a.StorageOrder != 0 {
				return nil, fmt.Errorf("attribute storage_order 1: %w", graph.ErrNoGradient)
			}
			return []graph.Value{b.Add(MaxPoolGrad, nil, dy[0], b.ExtraOutput(n, 1), n.In[0])}, nil
		},
	}
	define(MaxPool, def)
	old := def
	old.Since = []int{1}
	old.Out = []graph.Formal{{Name: "Y"}, {Name: "Indices", Optional: true, NoGrad: true, Private: true}}
	define(new(graph.Spec), old)

	indices := graph.Formal{Name: "Indices", NoGrad: true, Types: int64s}
	define(MaxPoolGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "MaxPoolGrad", Since: []int{1}, Doc: "gradient of MaxPool",
		In:  []graph.Formal{{Name: "dY", Types: floats}, indices, {Name: "X", NoGrad: true}},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			if !c.Shape(0).Equal(c.Shape(1)) {
				return fmt.Errorf("dY has shape %v, Indices %v", c.Shape(0), c.Shape(1))
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			s := c.Out[0].Shape()
			planes := product(s[:min(2, len(s))])
			if c.In[0].DType() == tensor.Float64 {
				scatterPlanes(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), c.In[1].I64(), planes)
			} else {
				scatterPlanes(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].I64(), planes)
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(MaxPoolGather, nil, dy[0], n.In[1]), 0, 0}, nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			flat := func(v graph.Value) graph.Value { return b.Add(Reshape, nil, v, b.Ints(-1)) }
			zeros := b.Add(ConstantOfShape, nil, b.Add(Reshape, nil, b.Add(Size, nil, n.In[2]), b.Ints(1)))
			sum := b.Add(ScatterElements, &scatterAttrs{Axis: 0, Reduction: "add"}, zeros, flat(n.In[1]), flat(n.In[0]))
			return []graph.Value{b.Add(Reshape, nil, sum, b.Add(Shape, nil, n.In[2]))}, nil
		},
	})
	define(MaxPoolGather, graph.Def[noAttrs]{
		Domain: Private, Name: "MaxPoolGather", Since: []int{1}, Doc: "second gradient of MaxPool",
		In: []graph.Formal{{Name: "X", Types: floats}, indices}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return gatherFlat(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), c.In[1].I64())
			}
			return gatherFlat(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].I64())
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(MaxPoolGrad, nil, dy[0], n.In[1], n.In[0]), 0}, nil
		},
	})
}

// scatterPlanes is out[idx[i]] += x[i] on zeros. The places of a plane, an equal share of out, lie in that plane.
func scatterPlanes[T float32 | float64](p *parallel.Pool, out, x []T, idx []int64, planes int) {
	if planes == 0 {
		return
	}
	in, to := len(x)/planes, len(out)/planes
	p.For(planes, max(1, 1<<13/max(to, 1)), func(lo, hi int) {
		clear(out[lo*to : hi*to])
		for i := lo * in; i < hi*in; i++ {
			if k := idx[i]; k >= 0 && k < int64(len(out)) {
				out[k] += x[i]
			}
		}
	})
}

func gatherFlat[T float32 | float64](p *parallel.Pool, out, x []T, idx []int64) error {
	for _, k := range idx {
		if k < 0 || k >= int64(len(x)) {
			return fmt.Errorf("index %d is outside %d elements", k, len(x))
		}
	}
	p.For(len(out), 1<<14, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out[i] = x[idx[i]]
		}
	})
	return nil
}
