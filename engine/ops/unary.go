package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// unary describes an operator Y = f(X), elementwise, which defineUnary completes.
type unary struct {
	name  string
	doc   string
	since []int
	types []tensor.DType // nil: floats
	fast  func(p *parallel.Pool, out, a []float32)
	f     func(x float64) float64
	i     func(x int64) int64 // of integers; nil when there are none
	// grad is the gradient by X, given X, Y and dY.
	grad func(b *graph.Builder, x, y, dy graph.Value) graph.Value
}

// defineUnary defines the operator of d in s.
func defineUnary(s *graph.Spec, d unary) {
	if d.types == nil {
		d.types = floats
	}
	def := graph.Def[noAttrs]{
		Name: d.name, Since: d.since, Doc: d.doc,
		In: []graph.Formal{{Name: "X", Types: d.types}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			return runUnary(c, d.fast, d.f, d.i)
		},
	}
	if d.grad != nil {
		def.Grad = func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{d.grad(b, n.In[0], n.Out[0], dy[0])}, nil
		}
	}
	define(s, def)
}

// runUnary is Out[0] = f(In[0]): float32 by fast when there is one, integers by i. The two may share storage.
func runUnary(c *graph.RunCtx, fast func(p *parallel.Pool, out, a []float32), f func(float64) float64, i func(int64) int64) error {
	if c.In[0].DType() == tensor.Float32 && fast != nil {
		fast(c.Pool, c.Out[0].F32(), c.In[0].F32())
		return nil
	}
	return unarySigned(c, f, i)
}

// unarySigned is Out[0] = f(In[0]) for floats, computed in float64, and i(In[0]) for integers, which wrap around.
func unarySigned(c *graph.RunCtx, f func(float64) float64, i func(int64) int64) error {
	switch x := c.In[0]; x.DType() {
	case tensor.Float32:
		kernel.Map(c.Pool, c.Out[0].F32(), x.F32(), func(x float32) float32 { return float32(f(float64(x))) })
	case tensor.Float64:
		kernel.Map(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](x), f)
	case tensor.Int8:
		unaryInt[int8](c, i)
	case tensor.Int16:
		unaryInt[int16](c, i)
	case tensor.Int32:
		unaryInt[int32](c, i)
	case tensor.Int64:
		unaryInt[int64](c, i)
	case tensor.Uint8:
		unaryInt[uint8](c, i)
	case tensor.Uint16:
		unaryInt[uint16](c, i)
	case tensor.Uint32:
		unaryInt[uint32](c, i)
	case tensor.Uint64:
		unaryInt[uint64](c, i)
	default:
		return errType(x)
	}
	return nil
}

func unaryInt[T interface {
	kernel.Integer
	tensor.Elem
}](c *graph.RunCtx, f func(int64) int64) {
	kernel.Map(c.Pool, tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0]), func(x T) T { return T(f(int64(x))) })
}

// truth is a 1-D mask of x as numbers of the type of like: 1 where true.
func truth(b *graph.Builder, mask, like graph.Value) graph.Value {
	return b.Add(Cast, CastTo(b.DType(like)), mask)
}

// one and two are constants of the type of like.
func one(b *graph.Builder, like graph.Value) graph.Value { return b.Scalar(b.DType(like), 1) }

// square is x².
func square(b *graph.Builder, x graph.Value) graph.Value { return mul(b, x, x) }

var invSqrt2 = math.Sqrt2 / 2
