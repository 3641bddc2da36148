package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// ConvPerExample is the gradient of Conv by W for each example: inputs X, dY, and W for its shape; result [N, shape of W].
var ConvPerExample = new(graph.Spec)

// ConvPerExampleNorm2 is the squared norm of ConvPerExample, [N]. With D = dY[i] as [M/group, T] and U the patches of X[i] as
// [C/group·k, T], it takes the inner product of the Gram matrices DᵀD and UᵀU where T is small enough for that to be the cheaper
// way, and makes D·Uᵀ otherwise.
//
// Source: Rochette et al. 2019 (arXiv 1912.06015); Bu et al. 2022 (arXiv 2205.10683).
var ConvPerExampleNorm2 = new(graph.Spec)

func init() {
	in := []graph.Formal{{Name: "X", Types: floats}, {Name: "dY", Types: floats}, {Name: "W", NoGrad: true}}
	define(ConvPerExample, graph.Def[convAttrs]{
		Domain: Private, Name: "ConvPerExample", Since: []int{1}, Doc: "arXiv 1912.06015", In: in, Out: []graph.Formal{{Name: "dW"}},
		Infer: func(a *convAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(0), c.Shape(2))
			if err != nil {
				return err
			}
			c.Out(0, append(tensor.Shape{g.n}, c.Shape(2)...)...)
			return nil
		},
		Run: func(a *convAttrs, c *graph.RunCtx) error {
			e, err := eachExample(a, c)
			if err != nil {
				return err
			}
			nw := c.In[2].Len()
			c.Pool.For(e.n, 1, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					if e.x64 != nil {
						x, dy := e.at64(i)
						kernel.ConvDW64(nil, e.cp, x, dy, tensor.Data[float64](c.Out[0])[i*nw:][:nw])
						continue
					}
					x, dy := e.at(i)
					kernel.ConvDW(nil, e.cp, x, dy, c.Out[0].F32()[i*nw:][:nw])
				}
			})
			return nil
		},
	})
	define(ConvPerExampleNorm2, graph.Def[convAttrs]{
		Domain: Private, Name: "ConvPerExampleNorm2", Since: []int{1}, Doc: "arXiv 2205.10683", In: in,
		Out: []graph.Formal{{Name: "norm2"}},
		Infer: func(a *convAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(0), c.Shape(2))
			if err != nil {
				return err
			}
			c.Out(0, g.n)
			return nil
		},
		Run: func(a *convAttrs, c *graph.RunCtx) error {
			e, err := eachExample(a, c)
			if err != nil {
				return err
			}
			nw := c.In[2].Len()
			if e.x64 != nil {
				out := tensor.Data[float64](c.Out[0])
				dw := make([]float64, nw)
				for i := range e.n {
					x, dy := e.at64(i)
					kernel.ConvDW64(nil, e.cp, x, dy, dw)
					out[i] = sumSquares(dw)
				}
				return nil
			}
			out := c.Out[0].F32()
			t, m, k := product(e.g.out), e.g.m/e.g.group, e.g.c/e.g.group*product(e.g.k)
			gram := float64(t*t*(m+k)*e.g.group) < kernel.ConvDWProducts(e.cp)
			group := e.nx / e.g.group // of X
			c.Pool.For(e.n, 1, func(lo, hi int) {
				if gram {
					u, a, b := make([]float32, k*t), make([]float32, t*t), make([]float32, t*t)
					for i := lo; i < hi; i++ {
						x, dy := e.at(i)
						s := 0.0
						for g := range e.g.group {
							kernel.Im2col(e.cp, x[g*group:][:group], u)
							d := dy[g*m*t:][:m*t]
							kernel.Sgemm(nil, true, false, t, t, k, 1, u, t, u, t, 0, a, t)
							kernel.Sgemm(nil, true, false, t, t, m, 1, d, t, d, t, 0, b, t)
							s += dot(a, b)
						}
						out[i] = float32(max(0, s))
					}
					return
				}
				dw := make([]float32, nw)
				for i := lo; i < hi; i++ {
					x, dy := e.at(i)
					kernel.ConvDW(nil, e.cp, x, dy, dw)
					out[i] = float32(sumSquares(dw))
				}
			})
			return nil
		},
	})
}

// examples walks the images of a batch one by one.
type examples struct {
	cp       *kernel.ConvParams // of a batch of one
	g        *convGeometry
	n        int
	x, dy    []float32
	x64, d64 []float64
	nx, ny   int
}

func eachExample(a *convAttrs, c *graph.RunCtx) (*examples, error) {
	cp, g, err := a.kernelParams(c.In[0].Shape(), c.In[2].Shape())
	if err != nil {
		return nil, err
	}
	e := &examples{cp: cp, g: g, n: cp.N}
	cp.N = 1
	e.nx, e.ny = c.In[0].Len()/max(e.n, 1), c.In[1].Len()/max(e.n, 1)
	if c.In[0].DType() == tensor.Float64 {
		e.x64, e.d64 = tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1])
	} else {
		e.x, e.dy = c.In[0].F32(), c.In[1].F32()
	}
	return e, nil
}

func (e *examples) at(i int) (x, dy []float32) { return e.x[i*e.nx:][:e.nx], e.dy[i*e.ny:][:e.ny] }
func (e *examples) at64(i int) (x, dy []float64) {
	return e.x64[i*e.nx:][:e.nx], e.d64[i*e.ny:][:e.ny]
}
