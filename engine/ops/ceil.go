package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Ceil is Y = ⌈X⌉, elementwise. Its gradient is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Ceil.html
var Ceil = new(graph.Spec)

func init() {
	defineUnary(Ceil, unary{
		name: "Ceil", since: []int{1, 6, 13},
		f:    math.Ceil,
		grad: func(b *graph.Builder, _, _, _ graph.Value) graph.Value { return 0 },
	})
}
