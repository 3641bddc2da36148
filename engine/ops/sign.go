package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Sign is Y = -1, 0 or 1, the sign of X, elementwise. Its gradient is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Sign.html
var Sign = new(graph.Spec)

func init() {
	defineUnary(Sign, unary{
		name: "Sign", since: []int{9, 13},
		types: numeric,
		f:     sign,
		i:     func(x int64) int64 { return int64(sign(float64(x))) },
		grad:  func(b *graph.Builder, _, _, _ graph.Value) graph.Value { return 0 },
	})
}
