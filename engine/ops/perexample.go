package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// gemmFunc is the form of kernel.Sgemm and kernel.Dgemm.
type gemmFunc[T float32 | float64] func(p *parallel.Pool, tA, tB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T,
	c []T, ldc int)

// LinearPerExample is, for X [N,…,K] and dY [N,…,M], the product X[i]ᵀ·dY[i] of each example summed over the axes between: [N,K,M], the
// gradient of each example by the right factor W of X·W. W itself, if it is given, must have that many elements.
var LinearPerExample = new(graph.Spec)

// LinearPerExampleNorm2 is the squared Frobenius norm of LinearPerExample, [N], without making it: for one position per example the
// product of the squared norms, for T positions the inner product of the two T×T Gram matrices when that is cheaper than the K×M product.
//
// Source: Goodfellow 2015 (arXiv 1510.01799); Bu et al. 2022 (arXiv 2205.10683), "mixed ghost".
var LinearPerExampleNorm2 = new(graph.Spec)

// PerExampleSumLike is dY [N,…] summed, for each example, over the axes along which like was broadcast: [N, shape of like].
var PerExampleSumLike = new(graph.Spec)

// RowSumSquaresOp is the squared norm of each row X[i], [N].
var RowSumSquaresOp = new(graph.Spec)

// RowSumSquares adds RowSumSquaresOp.
func RowSumSquares(b *graph.Builder, x graph.Value) graph.Value {
	return b.Add(RowSumSquaresOp, nil, x)
}

func init() {
	xy := []graph.Formal{{Name: "X", Types: floats}, {Name: "dY", Types: floats}, {Name: "W", Optional: true, NoGrad: true}}
	define(LinearPerExample, graph.Def[noAttrs]{
		Domain: Private, Name: "LinearPerExample", Since: []int{1}, Doc: "arXiv 1510.01799",
		In: xy, Out: []graph.Formal{{Name: "dW"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			l, err := linearExamples(c)
			if err != nil {
				return err
			}
			c.Out(0, l.n, l.k, l.m)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			l, err := linearDims(c.In[0].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				linearGrad(c.Pool, l, kernel.Dgemm, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]),
					tensor.Data[float64](c.Out[0]))
			} else {
				linearGrad(c.Pool, l, kernel.Sgemm, c.In[0].F32(), c.In[1].F32(), c.Out[0].F32())
			}
			return nil
		},
	})
	define(LinearPerExampleNorm2, graph.Def[noAttrs]{
		Domain: Private, Name: "LinearPerExampleNorm2", Since: []int{1}, Doc: "arXiv 2205.10683",
		In: xy, Out: []graph.Formal{{Name: "norm2"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			l, err := linearExamples(c)
			if err != nil {
				return err
			}
			c.Out(0, l.n)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			l, err := linearDims(c.In[0].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				linearNorm2(c.Pool, l, kernel.Dgemm, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]),
					tensor.Data[float64](c.Out[0]))
			} else {
				linearNorm2(c.Pool, l, kernel.Sgemm, c.In[0].F32(), c.In[1].F32(), c.Out[0].F32())
			}
			return nil
		},
	})
	define(PerExampleSumLike, graph.Def[noAttrs]{
		Domain: Private, Name: "PerExampleSumLike", Since: []int{1}, Doc: "per-example gradient of a broadcast operand",
		In:  []graph.Formal{{Name: "dY", Types: floats}, {Name: "like", NoGrad: true}},
		Out: []graph.Formal{{Name: "g"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s, l := c.Shape(0), c.Shape(1)
			if len(s) == 0 || len(l) > len(s) || (len(l) == len(s) && l[0] != 1) {
				return fmt.Errorf("the operand of shape %v is not broadcast over the examples of %v: %w", l, s, graph.ErrNoGradient)
			}
			c.Out(0, append(tensor.Shape{s[0]}, l...)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			s, l := c.In[0].Shape(), c.In[1].Shape()
			if c.In[0].DType() == tensor.Float64 {
				perExampleSum(c.Pool, tensor.Data[float64](c.In[0]), s, tensor.Data[float64](c.Out[0]), l)
			} else {
				perExampleSum(c.Pool, c.In[0].F32(), s, c.Out[0].F32(), l)
			}
			return nil
		},
	})
	define(RowSumSquaresOp, graph.Def[noAttrs]{
		Domain: Private, Name: "RowSumSquares", Since: []int{1}, Doc: "squared norm of each row",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "norm2"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			if len(c.Shape(0)) == 0 {
				return fmt.Errorf("a scalar has no rows")
			}
			c.Out(0, c.Shape(0)[0])
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			n := c.In[0].Dim(0)
			if c.In[0].DType() == tensor.Float64 {
				rowSumSquares(c.Pool, tensor.Data[float64](c.In[0]), n, tensor.Data[float64](c.Out[0]))
			} else {
				rowSumSquares(c.Pool, c.In[0].F32(), n, c.Out[0].F32())
			}
			return nil
		},
	})
}

// linear are the extents of a per-example product: n examples of t positions, k inputs and m outputs.
type linear struct{ n, t, k, m int }

func linearDims(x, dy tensor.Shape) (linear, error) {
	if len(x) < 2 || len(x) != len(dy) || !x[:len(x)-1].Equal(dy[:len(dy)-1]) {
		return linear{}, fmt.Errorf("input X of shape %v and dY of shape %v do not pair by example and position: %w", x, dy,
			graph.ErrNoGradient)
	}
	r := len(x)
	return linear{n: x[0], t: product(x[1 : r-1]), k: x[r-1], m: dy[r-1]}, nil
}

// linearExamples are those of a node with inputs X, dY and maybe W.
func linearExamples(c *graph.InferCtx) (linear, error) {
	l, err := linearDims(c.Shape(0), c.Shape(1))
	if err == nil && c.Has(2) && c.Shape(2).Len() != l.k*l.m {
		err = fmt.Errorf("weight W of shape %v is no matrix of %d×%d: %w", c.Shape(2), l.k, l.m, graph.ErrNoGradient)
	}
	return l, err
}

// perExampleLinear is the per-example gradient of w, the sum of the outer products of the rows of x and dy.
func perExampleLinear(b *graph.Builder, x, dy, w graph.Value) graph.PerExample {
	return graph.PerExample{Grad: b.Add(LinearPerExample, nil, x, dy, w), Norm2: b.Add(LinearPerExampleNorm2, nil, x, dy, w), Left: x,
		Right: dy}
}

func linearGrad[T float32 | float64](p *parallel.Pool, l linear, gemm gemmFunc[T], x, dy, out []T) {
	p.For(l.n, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			gemm(nil, true, false, l.k, l.m, l.t, 1, x[i*l.t*l.k:][:l.t*l.k], l.k, dy[i*l.t*l.m:][:l.t*l.m], l.m, 0,
				out[i*l.k*l.m:][:l.k*l.m], l.m)
		}
	})
}

func linearNorm2[T float32 | float64](p *parallel.Pool, l linear, gemm gemmFunc[T], x, dy, out []T) {
	gram := l.t*l.t*(l.k+l.m) < l.k*l.m*l.t
	p.For(l.n, 1, func(lo, hi int) {
		var g, h []T
		for i := lo; i < hi; i++ {
			xi, di := x[i*l.t*l.k:][:l.t*l.k], dy[i*l.t*l.m:][:l.t*l.m]
			switch {
			case l.t == 1:
				out[i] = T(sumSquares(xi) * sumSquares(di))
			case gram:
				if g == nil {
					g, h = make([]T, l.t*l.t), make([]T, l.t*l.t)
				}
				gemm(nil, false, true, l.t, l.t, l.k, 1, xi, l.k, xi, l.k, 0, g, l.t)
				gemm(nil, false, true, l.t, l.t, l.m, 1, di, l.m, di, l.m, 0, h, l.t)
				out[i] = T(max(0, dot(g, h)))
			default:
				if g == nil {
					g = make([]T, l.k*l.m)
				}
				gemm(nil, true, false, l.k, l.m, l.t, 1, xi, l.k, di, l.m, 0, g, l.m)
				out[i] = T(sumSquares(g))
			}
		}
	})
}

func dot[T float32 | float64](x, y []T) float64 {
	if x, ok := any(x).([]float32); ok {
		return kernel.DotF32(x, any(y).([]float32))
	}
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += float64(x[i]) * float64(y[i])
		s1 += float64(x[i+1]) * float64(y[i+1])
		s2 += float64(x[i+2]) * float64(y[i+2])
		s3 += float64(x[i+3]) * float64(y[i+3])
	}
	for ; i < len(x); i++ {
		s0 += float64(x[i]) * float64(y[i])
	}
	return s0 + s1 + s2 + s3
}

func sumSquares[T float32 | float64](x []T) float64 { return dot(x, x) }

func rowSumSquares[T float32 | float64](p *parallel.Pool, x []T, n int, out []T) {
	if n == 0 {
		return
	}
	k := len(x) / n
	p.For(n, max(1, 1<<14/max(k, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out[i] = T(sumSquares(x[i*k : (i+1)*k]))
		}
	})
}

// perExampleSum sums dy, of shape s, over all axes but the first on which like, aligned at the last axis, has extent 1 or none.
func perExampleSum[T float32 | float64](p *parallel.Pool, dy []T, s tensor.Shape, out []T, like tensor.Shape) {
	n, m := s[0], product(like)
	row := product(s[1:])
	stride := make([]int, len(s)) // of each axis of s in out[i]
	at := 1
	for i := len(like) - 1; i >= 0; i-- {
		if k := i + len(s) - len(like); k > 0 && like[i] != 1 {
			stride[k] = at
		}
		at *= like[i]
	}
	p.For(n, max(1, 1<<14/max(row, 1)), func(lo, hi int) {
		pos := make([]int, len(s))
		sum := make([]float64, m)
		last := len(s) - 1
		for i := lo; i < hi; i++ {
			clear(sum)
			clear(pos)
			x := dy[i*row : (i+1)*row]
			for at := 0; at < row; {
				k := 0
				for d := 1; d < last; d++ {
					k += pos[d] * stride[d]
				}
				run := 1
				if last > 0 {
					run = s[last]
				}
				if last > 0 && stride[last] != 0 {
					accumulate(sum[k:], x[at:at+run])
				} else {
					sum[k] += wideSum(x[at : at+run])
				}
				at += run
				for d := last - 1; d > 0; d-- {
					if pos[d]++; pos[d] < s[d] {
						break
					}
					pos[d] = 0
				}
			}
			for j, v := range sum {
				out[i*m+j] = T(v)
			}
		}
	})
}

// accumulate is acc[i] += x[i].
func accumulate[T float32 | float64](acc []float64, x []T) {
	if x, ok := any(x).([]float32); ok {
		kernel.AccumulateF32(acc, x)
		return
	}
	for i, v := range x {
		acc[i] += float64(v)
	}
}
