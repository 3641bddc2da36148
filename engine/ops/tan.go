package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Tan is Y = tan X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Tan.html
var Tan = new(graph.Spec)

func init() {
	defineUnary(Tan, unary{
		name: "Tan", since: []int{7, 22},
		f: math.Tan,
		grad: func(b *graph.Builder, _, y, dy graph.Value) graph.Value {
			return mul(b, dy, add(b, square(b, y), one(b, y)))
		},
	})
}
