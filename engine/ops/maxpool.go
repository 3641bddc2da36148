package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// MaxPool is the largest element of each window of X [N,C,i…]; Indices are its places in the flattened X, the first in scan order of
// equal ones, and with storage_order 1 counted with the first axis after C fastest.
//
// Source: https://onnx.ai/onnx/operators/onnx__MaxPool.html
var MaxPool = new(graph.Spec)

// MaxPoolGrad is dX: dY added up, in each plane of zeros of X's shape, at the offsets that MaxPool's private output Argmax tells.
// Inputs dY, Argmax, and X for its shape.
var MaxPoolGrad = new(graph.Spec)

// MaxPoolGather is X taken at those offsets: the gradient of MaxPoolGrad. Inputs X, Argmax.
var MaxPoolGather = new(graph.Spec)

func init() {
	def := graph.Def[poolAttrs]{
		Name: "MaxPool", Role: graph.Pool, Since: []int{8, 10, 11, 12, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__MaxPool.html",
		In: []graph.Formal{{Name: "X", Types: []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int8, tensor.Uint8}}},
		Out: []graph.Formal{{Name: "Y"}, {Name: "Indices", Optional: true, NoGrad: true},
			{Name: "Argmax", Optional: true, NoGrad: true, Private: true}},
		Types: func(_ *poolAttrs, in, out []tensor.DType) error {
			copy(out, []tensor.DType{in[0], tensor.Int64, tensor.Int32})
			return nil
		},
		Infer: inferPool,
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
		Grad: func(_ *poolAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(MaxPoolGrad, nil, dy[0], b.ExtraOutput(n, 2), n.In[0])}, nil
		},
	}
	define(MaxPool, def)
	old := def
	old.Since = []int{1}
	old.Out = slices.Clone(def.Out)
	old.Out[1].Private = true
	define(new(graph.Spec), old)

	indices := graph.Formal{Name: "Argmax", NoGrad: true, Types: []tensor.DType{tensor.Int32}}
	define(MaxPoolGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "MaxPoolGrad", Since: []int{1}, Doc: "gradient of MaxPool",
		In:  []graph.Formal{{Name: "dY", Types: floats}, indices, {Name: "X", NoGrad: true, Shape: true}},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			if !c.Shape(0).Equal(c.Shape(1)) {
				return fmt.Errorf("dY has shape %v, Indices %v", c.Shape(0), c.Shape(1))
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			planes := product(c.Out[0].Shape()[:2])
			in, out := c.Out[0].Len()/max(planes, 1), c.In[0].Len()/max(planes, 1)
			idx := tensor.Data[int32](c.In[1])
			if c.In[0].DType() == tensor.Float64 {
				kernel.MaxPoolGrad(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), idx, planes, in, out)
			} else {
				kernel.MaxPoolGrad(c.Pool, c.Out[0].F32(), c.In[0].F32(), idx, planes, in, out)
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(MaxPoolGather, nil, dy[0], n.In[1]), 0, 0}, nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			pool := b.G.Info(n.In[1]).Def
			if pool == nil || pool.Op != MaxPool {
				return nil, fmt.Errorf("its offsets come from no MaxPool of opset 8 or newer")
			}
			if pool.Attrs.(*poolAttrs).StorageOrder != 0 {
				return nil, fmt.Errorf("its offsets are written with storage_order 1")
			}
			indices := b.ExtraOutput(pool, 1)
			flat := func(v graph.Value) graph.Value { return b.Add(Reshape, nil, v, b.Ints(-1)) }
			zeros := b.Add(ConstantOfShape, nil, b.Add(Reshape, nil, b.Add(Size, nil, n.In[2]), b.Ints(1)))
			sum := b.Add(ScatterElements, &scatterAttrs{Axis: 0, Reduction: "add"}, zeros, flat(indices), flat(n.In[0]))
			return []graph.Value{inShape(b, sum, b.Add(Shape, nil, n.In[2]))}, nil
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
			planes := product(c.In[0].Shape()[:2])
			idx := tensor.Data[int32](c.In[1])
			if c.In[0].DType() == tensor.Float64 {
				gatherPlanes(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), idx, planes)
			} else {
				gatherPlanes(c.Pool, c.Out[0].F32(), c.In[0].F32(), idx, planes)
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(MaxPoolGrad, nil, dy[0], n.In[1], n.In[0]), 0}, nil
		},
	})
}

// gatherPlanes is out[k,o] = x[k,idx[k,o]] in each plane k, 0 where idx is negative.
func gatherPlanes[T float32 | float64](p *parallel.Pool, out, x []T, idx []int32, planes int) {
	if planes == 0 {
		return
	}
	in, to := len(x)/planes, len(out)/planes
	p.For(planes, max(1, 1<<14/max(to, 1)), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			plane := x[k*in : (k+1)*in]
			for o, i := range idx[k*to : (k+1)*to] {
				out[k*to+o] = 0
				if i >= 0 {
					out[k*to+o] = plane[i]
				}
			}
		}
	})
}

func maxPool[T float32 | float64 | int8 | uint8](a *poolAttrs, c *graph.RunCtx) error {
	g, err := a.geometry(c.In[0].Shape())
	if err != nil {
		return err
	}
	wanted := func(i int) bool { return i < len(c.Out) && c.Out[i] != nil }
	if d := c.In[0].DType(); d.Bits() == 8 && !wanted(1) && !wanted(2) {
		return maxPoolBytes(c, g.pool(false), kernel.Bytes{Scale: 1, Signed: d == tensor.Int8})
	}
	var idx []int32
	if wanted(2) {
		idx = tensor.Data[int32](c.Out[2])
	} else if wanted(1) {
		idx = make([]int32, c.Out[1].Len())
	}
	kernel.MaxPool(c.Pool, tensor.Data[T](c.Out[0]), idx, tensor.Data[T](c.In[0]), g.pool(false))
	if wanted(1) {
		in, out := product(g.in), product(g.out)
		for o, i := range idx {
			if a.StorageOrder != 0 && i >= 0 {
				i = columnMajor(i, g.in)
			}
			c.Out[1].I64()[o] = int64(o/out*in) + int64(i)
		}
	}
	return nil
}

// maxPoolBytes goes through float32, which has loops of its own.
func maxPoolBytes(c *graph.RunCtx, p *kernel.PoolParams, b kernel.Bytes) error {
	x, y := c.In[0], c.Out[0]
	t, err := tensor.Make("numbers to be pooled", tensor.Float32, x.Len()+y.Len())
	if err != nil {
		return err
	}
	in, out := t.F32()[:x.Len()], t.F32()[x.Len():]
	c.Pool.For(len(in), 1<<15, func(lo, hi int) { kernel.DequantizeBytes(in[lo:hi], x.Bytes()[lo:], b) })
	kernel.MaxPool(c.Pool, out, nil, in, p)
	c.Pool.For(len(out), 1<<15, func(lo, hi int) { kernel.QuantizeBytes(y.Bytes()[lo:hi], out[lo:], b, -128, 255) })
	return nil
}

// columnMajor is the place, counted with the first axis fastest, of element i of an array of shape s.
func columnMajor(i int32, s []int) int32 {
	at := 0
	for k, n := len(s)-1, int(i); k >= 0; k-- {
		at += n % s[k] * product(s[:k])
		n /= s[k]
	}
	return int32(at)
}
