package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Atanh is Y = artanh X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Atanh.html
var Atanh = new(graph.Spec)

func init() {
	defineUnary(Atanh, unary{
		name: "Atanh", since: []int{9, 22},
		f: math.Atanh,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value {
			return div(b, dy, sub(b, one(b, x), square(b, x)))
		},
	})
}
