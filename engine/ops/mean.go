package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Mean is the mean of all operands, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__Mean.html
var Mean = new(graph.Spec)

func init() {
	defineVariadic(Mean, variadic{
		name: "Mean", since: []int{1, 6, 8, 13}, out: "mean", kind: kindAdd, types: floats,
		finish: func(c *graph.RunCtx, y *tensor.Tensor) {
			k := len(c.In)
			if y.DType() == tensor.Float32 {
				kernel.DivScalarF32(c.Pool, y.F32(), y.F32(), float32(k))
				return
			}
			z := tensor.Data[float64](y)
			kernel.Map(c.Pool, z, z, func(x float64) float64 { return x / float64(k) })
		},
		grad: func(b *graph.Builder, n *graph.Node, dy graph.Value, need []bool) []graph.Value {
			dx := make([]graph.Value, n.NumIn)
			part := scale(b, dy, 1/float64(n.NumIn))
			for i, x := range n.In[:n.NumIn] {
				if need[i] {
					dx[i] = sumLike(b, part, x)
				}
			}
			return dx
		},
	})
}
