package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// Sqrt is Y = √X, elementwise; NaN where X < 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Sqrt.html
var Sqrt = new(graph.Spec)

func init() {
	defineUnary(Sqrt, unary{
		name: "Sqrt", since: []int{1, 6, 13},
		fast: kernel.SqrtF32,
		f:    math.Sqrt,
		grad: func(b *graph.Builder, _, y, dy graph.Value) graph.Value { return div(b, scale(b, dy, 0.5), y) },
	})
}
