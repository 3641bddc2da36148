package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// LRN is local response normalisation of X [N,C,…]: Y[n,c,…] = X[n,c,…] / (bias + alpha/size · Σ X[n,k,…]²)^beta over the size channels k
// around c that exist, (size-1)/2 of them before it.
//
// Source: https://onnx.ai/onnx/operators/onnx__LRN.html; Krizhevsky et al. 2012, section 3.3.
var LRN = new(graph.Spec)

type lrnAttrs struct {
	Alpha float32 `onnx:"alpha,default=0.0001"`
	Beta  float32 `onnx:"beta,default=0.75"`
	Bias  float32 `onnx:"bias,default=1"`
	Size  int     `onnx:"size,required"`
}

func init() {
	define(LRN, graph.Def[lrnAttrs]{
		Name: "LRN", Role: graph.Normalisation, Since: []int{1, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__LRN.html",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *lrnAttrs, _ *graph.Node) error {
			if a.Size < 1 || a.Size > 1<<20 {
				return fmt.Errorf("attribute size is %d, want a number of channels", a.Size)
			}
			return nil
		},
		Infer: func(_ *lrnAttrs, c *graph.InferCtx) error {
			if len(c.Shape(0)) < 2 {
				return fmt.Errorf("input X has shape %v, want [N,C,…]", c.Shape(0))
			}
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *lrnAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				lrn[float64](a, c)
			} else {
				lrn[float32](a, c)
			}
			return nil
		},
		// A mean over channels, padding included, is AveragePool over [N,1,C,space].
		Lower: func(a *lrnAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x := n.In[0]
			square := b.Add(Reshape, nil, mul(b, x, x), b.Ints(0, 0, -1))
			pool := &poolAttrs{AutoPad: "NOTSET", IncludePad: true, Kernel: []int{a.Size, 1},
				Pads: []int{(a.Size - 1) / 2, 0, a.Size / 2, 0}}
			mean := b.Add(AveragePool, pool, b.Add(Unsqueeze, nil, square, b.Ints(1)))
			mean = inShape(b, mean, b.Add(Shape, nil, x))
			d := b.DType(x)
			norm := add(b, scaled(b, mean, a.Alpha), b.Scalar(d, float64(a.Bias)))
			return []graph.Value{mul(b, x, b.Add(Pow, nil, norm, b.Scalar(d, -float64(a.Beta))))}, nil
		},
	})
}

// lrn works on a run of positions at a time, channel by channel, with the sums of squares of the window around it.
func lrn[T real](a *lrnAttrs, c *graph.RunCtx) {
	const run = 1024
	s := c.In[0].Shape()
	ch, space := s[1], product(s[2:])
	x, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	runs := (space + run - 1) / run
	before, after := (a.Size-1)/2, a.Size/2
	alpha, beta, bias := float64(a.Alpha)/float64(a.Size), -float64(a.Beta), float64(a.Bias)
	c.Pool.For(s[0]*runs, 1, func(lo, hi int) {
		sums := make([]float64, min(run, space))
		for i := lo; i < hi; i++ {
			from := i % runs * run
			n := min(run, space-from)
			at := func(k int) []T { return x[(i/runs*ch+k)*space+from:][:n] }
			for k := range ch {
				sum := sums[:n]
				clear(sum)
				for j := max(0, k-before); j <= min(ch-1, k+after); j++ {
					for p, v := range at(j) {
						sum[p] += float64(v) * float64(v)
					}
				}
				out := y[(i/runs*ch+k)*space+from:][:n]
				for p, v := range at(k) {
					out[p] = T(float64(v) * lrnPower(bias+alpha*sum[p], beta))
				}
			}
		}
	})
}

// lrnPower is x^e; the usual exponent -3/4 by two square roots.
func lrnPower(x, e float64) float64 {
	if e == -0.75 {
		r := math.Sqrt(x)
		return 1 / (r * math.Sqrt(r))
	}
	return math.Pow(x, e)
}
