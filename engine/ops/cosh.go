package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Cosh is Y = cosh X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Cosh.html
var Cosh = new(graph.Spec)

func init() {
	defineUnary(Cosh, unary{
		name: "Cosh", since: []int{9, 22},
		f:    math.Cosh,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value { return mul(b, dy, b.Add(Sinh, nil, x)) },
	})
}
