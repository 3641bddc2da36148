package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// Exp is Y = e^X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Exp.html
var Exp = new(graph.Spec)

func init() {
	defineUnary(Exp, unary{
		name: "Exp", since: []int{1, 6, 13},
		fast: kernel.ExpF32,
		f:    math.Exp,
		grad: func(b *graph.Builder, _, y, dy graph.Value) graph.Value { return mul(b, dy, y) },
	})
}
