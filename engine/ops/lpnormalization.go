package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// LpNormalization is input divided by its 1-norm or 2-norm along an axis, 0 where the norm is 0, and so is the gradient there.
//
// Source: https://onnx.ai/onnx/operators/onnx__LpNormalization.html
var LpNormalization = new(graph.Spec)

type lpNormalizationAttrs struct {
	Axis int `onnx:"axis,default=-1"`
	P    int `onnx:"p,default=2"`
}

func init() {
	define(LpNormalization, graph.Def[lpNormalizationAttrs]{
		Name: "LpNormalization", Role: graph.Normalisation, Since: []int{1, 22},
		Doc: "https://onnx.ai/onnx/operators/onnx__LpNormalization.html",
		In:  []graph.Formal{{Name: "input", Types: floats}}, Out: []graph.Formal{{Name: "output"}}, InPlace: [][2]int{{0, 0}},
		Check: func(a *lpNormalizationAttrs, _ *graph.Node) error {
			if a.P != 1 && a.P != 2 {
				return fmt.Errorf("attribute p is %d, want 1 or 2", a.P)
			}
			return nil
		},
		Infer: func(a *lpNormalizationAttrs, c *graph.InferCtx) error {
			if _, err := axis(a.Axis, len(c.Shape(0))); err != nil {
				return err
			}
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *lpNormalizationAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return lpNormalize[float64](a, c)
			}
			return lpNormalize[float32](a, c)
		},
		Lower: func(a *lpNormalizationAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x, one := n.In[0], b.Scalar(b.DType(n.In[0]), 1)
			sum := ReduceL1
			whole := x
			if a.P == 2 {
				sum, whole = ReduceSum, mul(b, x, x)
			}
			s := b.Add(sum, &reduceAttrs{KeepDims: true}, whole, b.Ints(a.Axis))
			// Where the sum is 0 so is x, and what it is divided by makes no difference.
			none := b.Add(Equal, nil, s, b.Scalar(b.DType(x), 0))
			norm := b.Add(Where, nil, none, one, s)
			if a.P == 2 {
				norm = b.Add(Sqrt, nil, norm)
			}
			return []graph.Value{b.Add(Where, nil, none, b.Scalar(b.DType(x), 0), div(b, x, norm))}, nil
		},
	})
}

func lpNormalize[T real](a *lpNormalizationAttrs, c *graph.RunCtx) error {
	k, err := axis(a.Axis, c.In[0].Rank())
	if err != nil {
		return err
	}
	outer, n, inner := around(c.In[0].Shape(), k)
	x, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	c.Pool.For(outer, max(1, 1<<13/max(1, n*inner)), func(lo, hi int) {
		for o := lo; o < hi; o++ {
			for i := o * n * inner; i < o*n*inner+inner; i++ {
				sum := 0.0
				for j := range n {
					v := float64(x[i+j*inner])
					if a.P == 1 {
						sum += max(v, -v)
					} else {
						sum += v * v
					}
				}
				inv := 0.0
				switch {
				case sum == 0:
				case a.P == 1:
					inv = 1 / sum
				default:
					inv = invSqrt(sum)
				}
				for j := range n {
					y[i+j*inner] = T(float64(x[i+j*inner]) * inv)
				}
			}
		}
	})
	return nil
}
