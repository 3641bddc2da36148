package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Sum is the sum of all operands, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__Sum.html
var Sum = new(graph.Spec)

func init() {
	defineVariadic(Sum, variadic{
		name: "Sum", role: graph.Arithmetic, since: []int{1, 6, 8, 13}, out: "sum", kind: kindAdd, types: floats,
		grad: func(b *graph.Builder, n *graph.Node, dy graph.Value, need []bool) []graph.Value {
			dx := make([]graph.Value, n.NumIn)
			for i, x := range n.In[:n.NumIn] {
				if need[i] {
					dx[i] = sumLike(b, dy, x)
				}
			}
			return dx
		},
	})
}
