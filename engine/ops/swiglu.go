package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// SwiGLU is Y = A·sigmoid(alpha·A)·B, elementwise, of A and B of one shape, which are not broadcast.
//
// Source: https://onnx.ai/onnx/operators/onnx__SwiGLU.html
var SwiGLU = new(graph.Spec)

func init() {
	define(SwiGLU, graph.Def[swishAttrs]{
		Name: "SwiGLU", Since: []int{28}, Doc: "https://onnx.ai/onnx/operators/onnx__SwiGLU.html",
		In: []graph.Formal{{Name: "A", Types: floats}, {Name: "B", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}},
		Infer: func(_ *swishAttrs, c *graph.InferCtx) error {
			if a, b := c.Shape(0), c.Shape(1); !a.Equal(b) {
				return fmt.Errorf("input A has shape %v and B %v, want the same", a, b)
			}
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *swishAttrs, c *graph.RunCtx) error {
			if a.Alpha == 1 && c.In[0].DType() == tensor.Float32 {
				kernel.SiluF32(c.Pool, c.Out[0].F32(), c.In[0].F32())
				kernel.MulF32(c.Pool, c.Out[0].F32(), c.Out[0].F32(), c.In[1].F32())
				return nil
			}
			if c.In[0].DType() == tensor.Float32 {
				return gated[float32](a, c)
			}
			return gated[float64](a, c)
		},
		Lower: func(a *swishAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{mul(b, b.Add(Swish, a, n.In[0]), n.In[1])}, nil
		},
	})
}

func gated[T float32 | float64](a *swishAttrs, c *graph.RunCtx) error {
	y, gate, x, k := tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0]), tensor.Data[T](c.In[1]), float64(a.Alpha)
	c.Pool.For(len(y), 1<<12, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			g := float64(gate[i])
			y[i] = T(g * sigmoid(k*g) * float64(x[i]))
		}
	})
	return nil
}
