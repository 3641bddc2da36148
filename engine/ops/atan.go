package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Atan is Y = arctan X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Atan.html
var Atan = new(graph.Spec)

func init() {
	defineUnary(Atan, unary{
		name: "Atan", since: []int{7, 22},
		f: math.Atan,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value {
			return div(b, dy, add(b, square(b, x), one(b, x)))
		},
	})
}
