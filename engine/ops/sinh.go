package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Sinh is Y = sinh X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Sinh.html
var Sinh = new(graph.Spec)

func init() {
	defineUnary(Sinh, unary{
		name: "Sinh", since: []int{9, 22},
		f:    math.Sinh,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value { return mul(b, dy, b.Add(Cosh, nil, x)) },
	})
}
