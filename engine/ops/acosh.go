package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Acosh is Y = arcosh X, elementwise; NaN where X < 1.
//
// Source: https://onnx.ai/onnx/operators/onnx__Acosh.html
var Acosh = new(graph.Spec)

func init() {
	defineUnary(Acosh, unary{
		name: "Acosh", since: []int{9, 22},
		f: math.Acosh,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value {
			return div(b, dy, b.Add(Sqrt, nil, sub(b, square(b, x), one(b, x))))
		},
	})
}
