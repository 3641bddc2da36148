package ops

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// LpPool is the p-norm of each window of X [N,C,i…]: (Σ |x|^p)^(1/p). The gradient of a window of zeros is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__LpPool.html
var LpPool = new(graph.Spec)

var lpPool1 = new(graph.Spec)

// SumPool is the sum of each window of X [N,C,i…], with the attributes of AveragePool.
var SumPool = new(graph.Spec)

// SumPoolGrad is the gradient of SumPool: inputs dY, and X for its shape.
var SumPoolGrad = new(graph.Spec)

type lpPoolAttrs struct {
	AutoPad   string `onnx:"auto_pad,default=NOTSET"`
	Ceil      bool   `onnx:"ceil_mode,default=0"`
	Dilations []int  `onnx:"dilations"`
	Kernel    []int  `onnx:"kernel_shape,required"`
	P         int    `onnx:"p,default=2"`
	Pads      []int  `onnx:"pads"`
	Strides   []int  `onnx:"strides"`
}

type lpPool1Attrs struct {
	AutoPad string  `onnx:"auto_pad,default=NOTSET"`
	Kernel  []int   `onnx:"kernel_shape,required"`
	P       float32 `onnx:"p,default=2"`
	Pads    []int   `onnx:"pads"`
	Strides []int   `onnx:"strides"`
}

func (a *lpPoolAttrs) pool() *poolAttrs {
	return &poolAttrs{AutoPad: a.AutoPad, Ceil: a.Ceil, Dilations: a.Dilations, Kernel: a.Kernel, Pads: a.Pads, Strides: a.Strides}
}

func (a *lpPool1Attrs) pool() *poolAttrs {
	return &poolAttrs{AutoPad: a.AutoPad, Kernel: a.Kernel, Pads: a.Pads, Strides: a.Strides}
}

func init() {
	const doc = "https://onnx.ai/onnx/operators/onnx__LpPool.html"
	in, out := []graph.Formal{{Name: "X", Types: floats}}, []graph.Formal{{Name: "Y"}}
	define(LpPool, graph.Def[lpPoolAttrs]{
		Name: "LpPool", Role: graph.Pool, Since: []int{2, 11, 18, 22}, Doc: doc, In: in, Out: out,
		Check: func(a *lpPoolAttrs, _ *graph.Node) error { return checkNorm(float64(a.P)) },
		Infer: func(a *lpPoolAttrs, c *graph.InferCtx) error { return inferPool(a.pool(), c) },
		Run:   func(a *lpPoolAttrs, c *graph.RunCtx) error { return runLpPool(a.pool(), float64(a.P), c) },
		Lower: func(a *lpPoolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			sum := func(v graph.Value) graph.Value { return b.Add(SumPool, a.pool(), v) }
			return []graph.Value{lpNorm(b, n.In[0], float64(a.P), sum)}, nil
		},
	})
	define(lpPool1, graph.Def[lpPool1Attrs]{
		Name: "LpPool", Role: graph.Pool, Since: []int{1}, Doc: doc, In: in, Out: out,
		Check: func(a *lpPool1Attrs, _ *graph.Node) error { return checkNorm(float64(a.P)) },
		Infer: func(a *lpPool1Attrs, c *graph.InferCtx) error { return inferPool(a.pool(), c) },
		Run:   func(a *lpPool1Attrs, c *graph.RunCtx) error { return runLpPool(a.pool(), float64(a.P), c) },
		Lower: func(a *lpPool1Attrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			sum := func(v graph.Value) graph.Value { return b.Add(SumPool, a.pool(), v) }
			return []graph.Value{lpNorm(b, n.In[0], float64(a.P), sum)}, nil
		},
	})
	define(SumPool, graph.Def[poolAttrs]{
		Domain: Private, Name: "SumPool", Since: []int{1}, Doc: "sums of windows", In: in, Out: out, Infer: inferPool,
		Run: func(a *poolAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return sumPool(a, c, tensor.Data[float64](c.In[0]))
			}
			return sumPool(a, c, c.In[0].F32())
		},
		Grad: func(a *poolAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(SumPoolGrad, a, dy[0], n.In[0])}, nil
		},
		Lower: func(a *poolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			if a.Ceil {
				return nil, fmt.Errorf("a sum over windows with ceil_mode: %w", errors.ErrUnsupported)
			}
			mean := *a
			mean.IncludePad = true
			return []graph.Value{scale(b, b.Add(AveragePool, &mean, n.In[0]), float64(product(a.Kernel)))}, nil
		},
	})
	define(SumPoolGrad, graph.Def[poolAttrs]{
		Domain: Private, Name: "SumPoolGrad", Since: []int{1}, Doc: "gradient of SumPool",
		In: []graph.Formal{{Name: "dY", Types: floats}, {Name: "X", NoGrad: true, Shape: true}}, Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *poolAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *poolAttrs, c *graph.RunCtx) error {
			g, err := a.geometry(c.In[1].Shape())
			if err != nil {
				return err
			}
			q := g.pool(false)
			q.Sum = true
			if c.In[0].DType() == tensor.Float64 {
				kernel.AveragePoolGrad(c.Pool, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), q)
			} else {
				kernel.AveragePoolGrad(c.Pool, c.Out[0].F32(), c.In[0].F32(), q)
			}
			return nil
		},
		Grad: func(a *poolAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(SumPool, a, dy[0]), 0}, nil
		},
		// The gradient of a convolution of each channel alone, with a kernel of ones.
		Lower: func(a *poolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			if a.Ceil {
				return nil, fmt.Errorf("a sum over windows with ceil_mode: %w", errors.ErrUnsupported)
			}
			places := product(a.Kernel)
			if places < 1 || places > 1<<16 {
				return nil, fmt.Errorf("windows of %v: %w", a.Kernel, errors.ErrUnsupported)
			}
			ones := b.Const(tensor.From(slices.Repeat([]float32{1}, places), append([]int{1, 1}, a.Kernel...)...))
			if d := b.DType(n.In[0]); d != tensor.Float32 {
				ones = b.Add(Cast, CastTo(d), ones)
			}
			alone := func(v graph.Value) graph.Value {
				return b.Add(Reshape, nil, v, b.Add(Concat, &concatAttrs{}, b.Ints(-1, 1), b.Add(Shape, &shapeAttrs{Start: 2}, v)))
			}
			conv := &convAttrs{AutoPad: a.AutoPad, Dilations: a.Dilations, Group: 1, Kernel: a.Kernel, Pads: a.Pads, Strides: a.Strides}
			dx := b.Add(ConvDX, conv, alone(n.In[0]), ones, alone(n.In[1]))
			return []graph.Value{inShape(b, dx, b.Add(Shape, nil, n.In[1]))}, nil
		},
	})
}

func checkNorm(p float64) error {
	if !(p >= 1) || math.IsInf(p, 0) {
		return fmt.Errorf("attribute p is %g, want a norm, 1 or more", p)
	}
	return nil
}

// lpNorm is the p-norm of x where sum adds up, with gradient 0 where all is 0.
func lpNorm(b *graph.Builder, x graph.Value, p float64, sum func(graph.Value) graph.Value) graph.Value {
	d := b.DType(x)
	switch p {
	case 1:
		return sum(b.Add(Abs, nil, x))
	case 2:
		x = mul(b, x, x)
	default:
		if p != math.Trunc(p) || math.Mod(p, 2) != 0 {
			x = b.Add(Abs, nil, x)
		}
		x = b.Add(Pow, nil, x, b.Scalar(d, p))
	}
	s := sum(x)
	zero := b.Scalar(d, 0)
	some := b.Add(Greater, nil, s, zero)
	s = b.Add(Where, nil, some, s, b.Scalar(d, 1))
	if p == 2 {
		s = b.Add(Sqrt, nil, s)
	} else {
		s = b.Add(Pow, nil, s, b.Scalar(d, 1/p))
	}
	return b.Add(Where, nil, some, s, zero)
}

func runLpPool(a *poolAttrs, p float64, c *graph.RunCtx) error {
	if c.In[0].DType() == tensor.Float64 {
		return lpPool[float64](a, p, c)
	}
	return lpPool[float32](a, p, c)
}

func lpPool[T real](a *poolAttrs, p float64, c *graph.RunCtx) error {
	x := make([]T, c.In[0].Len())
	powers(c.Pool, x, tensor.Data[T](c.In[0]), p)
	if err := sumPool(a, c, x); err != nil {
		return err
	}
	y := tensor.Data[T](c.Out[0])
	if p != 1 {
		powers(c.Pool, y, y, 1/p)
	}
	return nil
}

// sumPool is the sum of each window of x, which has the shape of the input.
func sumPool[T real](a *poolAttrs, c *graph.RunCtx, x []T) error {
	g, err := a.geometry(c.In[0].Shape())
	if err != nil {
		return err
	}
	q := g.pool(false)
	q.Sum = true
	kernel.AveragePool(c.Pool, tensor.Data[T](c.Out[0]), x, q)
	return nil
}

// powers is out = |x|^p.
func powers[T real](pool *parallel.Pool, out, x []T, p float64) {
	pool.For(len(x), 1<<12, func(lo, hi int) {
		for i, v := range x[lo:hi] {
			w := math.Abs(float64(v))
			switch p {
			case 1:
			case 2:
				w *= w
			case 0.5:
				w = math.Sqrt(w)
			default:
				w = math.Pow(w, p)
			}
			out[lo+i] = T(w)
		}
	})
}
