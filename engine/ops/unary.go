package ops

import (
	"math"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// unary describes an operator Y = f(X), elementwise, which defineUnary completes.
type unary struct {
	name  string
	role  graph.Role
	since []int
	types []tensor.DType // nil: floats
	fast  func(p *parallel.Pool, out, a []float32)
	f     func(x float64) float64
	i     func(x int64) int64 // of integers; nil when there are none
	// grad is the gradient by X, given X, Y and dY; 0 is a gradient that is zero.
	grad func(b *graph.Builder, x, y, dy graph.Value) graph.Value
	// lower is Y in simpler operators, of whose gradients that of the operator is made when it has no grad.
	lower func(b *graph.Builder, x graph.Value) graph.Value
}

// defineUnary defines the operator of d in s.
func defineUnary(s *graph.Spec, d unary) {
	if d.types == nil {
		d.types = floats
	}
	def := graph.Def[noAttrs]{
		Name: d.name, Role: d.role, Since: d.since, Doc: "https://onnx.ai/onnx/operators/onnx__" + d.name + ".html",
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
	if d.lower != nil {
		def.Lower = func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{d.lower(b, n.In[0])}, nil
		}
	}
	define(s, def)
}

// defineGrad defines in s the private operator dX = f(ref, dY), linear in dY, where ref, called name in the formals, is X or Y. lower is
// the same in simpler operators.
func defineGrad(s *graph.Spec, op, name string, fast func(p *parallel.Pool, dx, ref, dy []float32), f func(ref, dy float64) float64,
	lower func(b *graph.Builder, ref, dy graph.Value) graph.Value) {
	define(s, graph.Def[noAttrs]{
		Domain: Private, Name: op, Since: []int{1}, Doc: "gradient of " + strings.TrimSuffix(op, "Grad"),
		In: []graph.Formal{{Name: name, Types: floats}, {Name: "dY", Types: floats}}, Out: []graph.Formal{{Name: "dX"}},
		InPlace: [][2]int{{1, 0}, {0, 0}}, Infer: sameShape[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if fast != nil && c.In[0].DType() == tensor.Float32 {
				fast(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].F32())
				return nil
			}
			return map2(c, f)
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{lower(b, n.In[0], n.In[1])}, nil
		},
	})
}

// map2 is Out[0] = f(In[0], In[1]) for floats of one shape, computed in float64.
func map2(c *graph.RunCtx, f func(x, y float64) float64) error {
	if c.In[0].DType() == tensor.Float64 {
		kernel.Map2(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]), f)
		return nil
	}
	kernel.Map2(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].F32(), func(x, y float32) float32 {
		return float32(f(float64(x), float64(y)))
	})
	return nil
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
		// Beyond int64, i counts as constant or as the identity.
		kernel.Map(c.Pool, tensor.Data[uint64](c.Out[0]), tensor.Data[uint64](x), func(x uint64) uint64 {
			y := i(int64(min(x, math.MaxInt64)))
			if y == math.MaxInt64 {
				return x
			}
			return uint64(y)
		})
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

// truth is mask as numbers of the type of like: 1 where true, else 0.
func truth(b *graph.Builder, mask, like graph.Value) graph.Value {
	return b.Add(Cast, CastTo(b.DType(like)), mask)
}

// one is the number 1 in the type of like.
func one(b *graph.Builder, like graph.Value) graph.Value { return b.Scalar(b.DType(like), 1) }

// square is x².
func square(b *graph.Builder, x graph.Value) graph.Value { return mul(b, x, x) }

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0 or NaN
}

func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// positive is x > 0.
func positive(b *graph.Builder, x graph.Value) graph.Value {
	return b.Add(Greater, nil, x, b.Scalar(b.DType(x), 0))
}
