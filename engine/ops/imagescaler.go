package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// ImageScaler is Y[n,c,…] = scale·X[n,c,…] + bias[c]; of the time before ONNX 1.3.
//
// Source: https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-imagescaler
var ImageScaler = new(graph.Spec)

type imageScalerAttrs struct {
	Scale float32   `onnx:"scale,default=1"`
	Bias  []float32 `onnx:"bias"`
}

func init() {
	define(ImageScaler, graph.Def[imageScalerAttrs]{
		Name: "ImageScaler", Role: graph.Arithmetic, Since: []int{1},
		Doc: "https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-imagescaler",
		In:  []graph.Formal{{Name: "input", Types: floats}}, Out: []graph.Formal{{Name: "output"}}, InPlace: [][2]int{{0, 0}},
		Infer: func(a *imageScalerAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			if len(s) < 2 || (a.Bias != nil && len(a.Bias) != s[1]) {
				return fmt.Errorf("input of shape %v and %d biases, want one for each channel of [N,C,…]", s, len(a.Bias))
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(a *imageScalerAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				imageScale(a, c, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]))
			} else {
				imageScale(a, c, c.Out[0].F32(), c.In[0].F32())
			}
			return nil
		},
		Grad: func(a *imageScalerAttrs, b *graph.Builder, _ *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{scaled(b, dy[0], a.Scale)}, nil
		},
	})
}

func imageScale[T kernel.Float](a *imageScalerAttrs, c *graph.RunCtx, y, x []T) {
	s := c.In[0].Shape()
	plane := product(s[2:])
	c.Pool.For(s[0]*s[1], max(1, 1<<14/max(plane, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			var bias T
			if a.Bias != nil {
				bias = T(a.Bias[i%s[1]])
			}
			for k := i * plane; k < (i+1)*plane; k++ {
				y[k] = T(a.Scale)*x[k] + bias
			}
		}
	})
}
