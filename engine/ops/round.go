package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Round is Y is the integer nearest to X, the even one of two, elementwise. Its gradient is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Round.html
var Round = new(graph.Spec)

func init() {
	defineUnary(Round, unary{
		name: "Round", since: []int{11, 22},
		f:    math.RoundToEven,
		grad: func(b *graph.Builder, _, _, _ graph.Value) graph.Value { return 0 },
	})
}
