package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// AveragePool is the mean of each window of X [N,C,i…], over the elements inside X, or with count_include_pad inside X and its padding.
//
// Source: https://onnx.ai/onnx/operators/onnx__AveragePool.html
var AveragePool = new(graph.Spec)

// AveragePoolGrad is the gradient of AveragePool: inputs dY, and X for its shape.
var AveragePoolGrad = new(graph.Spec)

func init() {
	define(AveragePool, graph.Def[poolAttrs]{
		Name: "AveragePool", Role: graph.Pool, Since: []int{1, 7, 10, 11, 19, 22},
		Doc: "https://onnx.ai/onnx/operators/onnx__AveragePool.html",
		In:  []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: inferPool,
		Run: func(a *poolAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return averagePool[float64](a, c)
			}
			return averagePool[float32](a, c)
		},
		Grad: func(a *poolAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(AveragePoolGrad, a, dy[0], n.In[0])}, nil
		},
	})
	define(AveragePoolGrad, graph.Def[poolAttrs]{
		Domain: Private, Name: "AveragePoolGrad", Since: []int{1}, Doc: "gradient of AveragePool",
		In:  []graph.Formal{{Name: "dY", Types: floats}, {Name: "X", NoGrad: true, Shape: true}},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *poolAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *poolAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return averagePoolGrad[float64](a, c)
			}
			return averagePoolGrad[float32](a, c)
		},
		Grad: func(a *poolAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(AveragePool, a, dy[0]), 0}, nil
		},
		Lower: lowerAveragePoolGrad,
	})
}

func averagePool[T float32 | float64](a *poolAttrs, c *graph.RunCtx) error {
	g, err := a.geometry(c.In[0].Shape())
	if err != nil {
		return err
	}
	kernel.AveragePool(c.Pool, tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0]), g.pool(a.IncludePad))
	return nil
}

func averagePoolGrad[T float32 | float64](a *poolAttrs, c *graph.RunCtx) error {
	g, err := a.geometry(c.In[1].Shape())
	if err != nil {
		return err
	}
	kernel.AveragePoolGrad(c.Pool, tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0]), g.pool(a.IncludePad))
	return nil
}
