package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// PatchGram is UᵀU/P for the P patches, as rows of U [P,n], that a convolution sees of its input: the uncentred second moment of what its
// weights are multiplied with, [n,n] with n = C·k. Inputs X, and W for its shape. The patches of all images count.
var PatchGram = new(graph.Spec)

// RidgeSolve is B·(S + lambda·I)⁻¹ for B [m,n…], flattened to m rows, and a symmetric positive semidefinite S [n,n].
var RidgeSolve = new(graph.Spec)

type ridgeAttrs struct {
	Lambda float32 `onnx:"lambda,required"`
}

func init() {
	define(PatchGram, graph.Def[convAttrs]{
		Domain: Private, Name: "PatchGram", Since: []int{1}, Doc: "second moment of convolution patches",
		In:  []graph.Formal{{Name: "X", Types: []tensor.DType{tensor.Float32}}, {Name: "W", NoGrad: true}},
		Out: []graph.Formal{{Name: "S"}},
		Infer: func(a *convAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			if g.group != 1 {
				return fmt.Errorf("a convolution in %d groups has no single patch matrix", g.group)
			}
			n := g.c * product(g.k)
			c.Out(0, n, n)
			return nil
		},
		Run: func(a *convAttrs, c *graph.RunCtx) error {
			cp, g, err := a.kernelParams(c.In[0].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			n, t := g.c*product(g.k), product(g.out)
			cp.N = 1
			x, out := c.In[0].F32(), c.Out[0].F32()
			each := c.In[0].Len() / max(g.n, 1)
			u := make([]float32, n*t)
			s, part := make([]float64, n*n), make([]float32, n*n)
			for i := range g.n {
				kernel.Im2col(cp, x[i*each:][:each], u)
				kernel.Sgemm(c.Pool, false, true, n, n, t, 1, u, t, u, t, 0, part, n)
				for k, v := range part {
					s[k] += float64(v)
				}
			}
			for k, v := range s {
				out[k] = float32(v / float64(g.n*t))
			}
			return nil
		},
	})
	define(RidgeSolve, graph.Def[ridgeAttrs]{
		Domain: Private, Name: "RidgeSolve", Since: []int{1}, Doc: "Cholesky solution of a ridge system",
		In:    []graph.Formal{{Name: "B", Types: []tensor.DType{tensor.Float32}}, {Name: "S", Types: []tensor.DType{tensor.Float32}}},
		Out:   []graph.Formal{{Name: "X"}},
		Infer: sameShape[ridgeAttrs],
		Run: func(a *ridgeAttrs, c *graph.RunCtx) error {
			n := c.In[1].Dim(0)
			l := make([]float64, n*n)
			for i, v := range c.In[1].F32() {
				l[i] = float64(v)
			}
			for i := range n {
				l[i*n+i] += float64(a.Lambda)
			}
			if !cholesky(l, n) {
				return fmt.Errorf("the second moment of the layer's input plus %v·I is not positive definite: is the input finite?",
					a.Lambda)
			}
			b, out := c.In[0].F32(), c.Out[0].F32()
			if n == 0 || len(b)%n != 0 {
				return fmt.Errorf("%d elements are not rows of %d", len(b), n)
			}
			c.Pool.For(len(b)/n, 1, func(lo, hi int) {
				y := make([]float64, n)
				for r := lo; r < hi; r++ {
					for i, v := range b[r*n : (r+1)*n] {
						y[i] = float64(v)
					}
					choleskySolve(l, n, y)
					for i, v := range y {
						out[r*n+i] = float32(v)
					}
				}
			})
			return nil
		},
	})
}

// Ridge is the attribute of RidgeSolve.
func Ridge(lambda float32) any { return &ridgeAttrs{Lambda: lambda} }
