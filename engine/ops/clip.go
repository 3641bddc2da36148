package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Clip is Y = min(max(X, min), max), elementwise; a bound that is absent does not bind, NaN stays. The gradient is dY where
// min <= X <= max, else 0. No gradient reaches the bounds.
//
// Source: https://onnx.ai/onnx/operators/onnx__Clip.html. Versions before 11 have the bounds as attributes.
var Clip = new(graph.Spec)

var clipOld = new(graph.Spec)

// ClipGrad is dX = dY where min <= X <= max, else 0. Inputs X, dY and the bounds.
var ClipGrad = new(graph.Spec)

type clipOldAttrs struct {
	Min *float32 `onnx:"min"`
	Max *float32 `onnx:"max"`
}

func init() {
	bounds := []graph.Formal{{Name: "min", Optional: true, NoGrad: true, Types: numeric},
		{Name: "max", Optional: true, NoGrad: true, Types: numeric}}
	define(Clip, graph.Def[noAttrs]{
		Name: "Clip", Role: graph.Activation, Since: []int{11, 12, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__Clip.html",
		In: append([]graph.Formal{{Name: "X", Types: numeric}}, bounds...), Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Types: sameOperands[noAttrs], Infer: inferClip(1),
		Run: func(_ *noAttrs, c *graph.RunCtx) error { return runClip(c, operand(c, 1), operand(c, 2)) },
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			in := append([]graph.Value{n.In[0], dy[0]}, n.In[1:n.NumIn]...)
			return only(n, 0, b.Add(ClipGrad, nil, in...)), nil
		},
	})
	define(clipOld, graph.Def[clipOldAttrs]{
		Name: "Clip", Role: graph.Activation, Since: []int{1, 6}, Doc: "https://onnx.ai/onnx/operators/onnx__Clip.html",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[clipOldAttrs],
		Run: func(a *clipOldAttrs, c *graph.RunCtx) error {
			d := c.In[0].DType()
			return runClip(c, boundTensor(d, a.Min), boundTensor(d, a.Max))
		},
		Lower: func(a *clipOldAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			in := []graph.Value{n.In[0], 0, 0}
			for i, p := range []*float32{a.Min, a.Max} {
				if p != nil {
					in[i+1] = b.Scalar(b.DType(n.In[0]), float64(*p))
				}
			}
			return []graph.Value{b.Add(Clip, nil, in...)}, nil
		},
	})
	define(ClipGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "ClipGrad", Since: []int{1}, Doc: "gradient of Clip",
		In:  append([]graph.Formal{{Name: "X", Types: floats, NoGrad: true}, {Name: "dY", Types: floats}}, bounds...),
		Out: []graph.Formal{{Name: "dX"}}, InPlace: [][2]int{{1, 0}, {0, 0}}, Infer: inferClip(2),
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float32 {
				lo, hi := limits[float32](operand(c, 2), operand(c, 3))
				kernel.ClipGradF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].F32(), lo, hi)
				return nil
			}
			lo, hi := limits[float64](operand(c, 2), operand(c, 3))
			kernel.Map2(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]),
				func(x, dy float64) float64 {
					if lo <= x && x <= hi {
						return dy
					}
					return 0
				})
			return nil
		},
		// It is linear in dY.
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			in := append([]graph.Value{n.In[0], dy[0]}, n.In[2:n.NumIn]...)
			return only(n, 1, b.Add(ClipGrad, nil, in...)), nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			zero := b.Scalar(b.DType(n.In[0]), 0)
			y := n.In[1]
			if n.NumIn > 2 && n.In[2] != 0 {
				y = b.Add(Where, nil, b.Add(Less, nil, n.In[0], n.In[2]), zero, y)
			}
			if n.NumIn > 3 && n.In[3] != 0 {
				y = b.Add(Where, nil, b.Add(Greater, nil, n.In[0], n.In[3]), zero, y)
			}
			if y == n.In[1] {
				y = b.Add(Identity, nil, y)
			}
			return []graph.Value{y}, nil
		},
	})
}

// inferClip is sameShape with a check that inputs from first on have one element.
func inferClip(first int) func(*noAttrs, *graph.InferCtx) error {
	return func(a *noAttrs, c *graph.InferCtx) error {
		for i := first; i < first+2; i++ {
			if c.Has(i) && c.Shape(i).Len() != 1 {
				return fmt.Errorf("bound of shape %v, want a scalar", c.Shape(i))
			}
		}
		return sameShape(a, c)
	}
}

// operand is input i, nil when it is absent.
func operand(c *graph.RunCtx, i int) *tensor.Tensor {
	if c.Has(i) {
		return c.In[i]
	}
	return nil
}

func boundTensor(d tensor.DType, x *float32) *tensor.Tensor {
	switch {
	case x == nil:
		return nil
	case d == tensor.Float64:
		return tensor.Scalar(float64(*x))
	}
	return tensor.Scalar(*x)
}

// limits are the bounds in lo and hi, infinite where these are nil.
func limits[T interface {
	kernel.Float
	tensor.Elem
}](lo, hi *tensor.Tensor) (T, T) {
	l, h := T(math.Inf(-1)), T(math.Inf(1))
	if lo != nil {
		l = tensor.Data[T](lo)[0]
	}
	if hi != nil {
		h = tensor.Data[T](hi)[0]
	}
	return l, h
}

func runClip(c *graph.RunCtx, lo, hi *tensor.Tensor) error {
	if c.In[0].DType() == tensor.Float32 {
		l, h := limits[float32](lo, hi)
		kernel.ClipF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), l, h)
		return nil
	}
	x, s := c.In[0], c.In[0].Shape()
	if lo != nil {
		if err := binaryInto(kindMax, c, c.Out[0], x, s, lo, nil); err != nil {
			return err
		}
		x = c.Out[0]
	}
	if hi != nil {
		if err := binaryInto(kindMin, c, c.Out[0], x, s, hi, nil); err != nil {
			return err
		}
		x = c.Out[0]
	}
	if x != c.Out[0] {
		copy(c.Out[0].Bytes(), x.Bytes())
	}
	return nil
}

// clipBounds are the bounds of n, when it is a Clip whose bounds are attributes or constants of type float32.
func clipBounds(g *graph.Graph, n *graph.Node) (lo, hi float32, ok bool) {
	lo, hi = float32(math.Inf(-1)), float32(math.Inf(1))
	switch n.Op {
	case clipOld:
		a := n.Attrs.(*clipOldAttrs)
		if a.Min != nil {
			lo = *a.Min
		}
		if a.Max != nil {
			hi = *a.Max
		}
		return lo, hi, true
	case Clip:
		for i, p := range []*float32{&lo, &hi} {
			if i+1 >= n.NumIn || n.In[i+1] == 0 {
				continue
			}
			in := g.Info(n.In[i+1])
			if in.Kind != graph.Constant || in.DType != tensor.Float32 || in.Data.Len() != 1 {
				return 0, 0, false
			}
			*p = in.Data.F32()[0]
		}
		return lo, hi, true
	}
	return 0, 0, false
}
