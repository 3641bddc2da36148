package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Relu is Y = max(0, X), elementwise; NaN stays. Y has X's shape. The gradient at 0 is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Relu.html
var Relu = new(graph.Spec)

// ReluGrad is dX = dY where Y > 0, else 0. Inputs Y and dY, of one shape.
var ReluGrad = new(graph.Spec)

func init() {
	define(Relu, graph.Def[noAttrs]{
		Name: "Relu", Role: graph.Activation, Since: []int{1, 6, 13, 14}, Doc: "https://onnx.ai/onnx/operators/onnx__Relu.html",
		In: []graph.Formal{{Name: "X", Types: []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int8, tensor.Int16, tensor.Int32,
			tensor.Int64}}},
		Out:     []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}},
		Infer:   sameShape[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float32 {
				kernel.ReluF32(c.Pool, c.Out[0].F32(), c.In[0].F32())
				return nil
			}
			return unarySigned(c, func(x float64) float64 { return max(x, 0) }, func(x int64) int64 { return max(x, 0) })
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(ReluGrad, nil, n.Out[0], dy[0])}, nil
		},
	})
	define(ReluGrad, graph.Def[noAttrs]{
		Domain: Private, Name: "ReluGrad", Since: []int{1}, Doc: "gradient of Relu",
		In:      []graph.Formal{{Name: "Y", Types: floats, NoGrad: true}, {Name: "dY", Types: floats}},
		Out:     []graph.Formal{{Name: "dX"}},
		InPlace: [][2]int{{1, 0}},
		Infer:   sameShape[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float32 {
				kernel.ReluGradF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].F32())
				return nil
			}
			y, dy, dx := tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]), tensor.Data[float64](c.Out[0])
			for i, d := range dy { // dX may be dY
				if !(y[i] > 0) {
					d = 0
				}
				dx[i] = d
			}
			return nil
		},
		// ReluGrad is linear in dY, so it is its own gradient.
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{0, b.Add(ReluGrad, nil, n.In[0], dy[0])}, nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			zero := b.Scalar(b.DType(n.In[0]), 0)
			return []graph.Value{b.Add(Where, nil, b.Add(Greater, nil, n.In[0], zero), n.In[1], zero)}, nil
		},
	})
}
