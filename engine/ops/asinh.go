package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Asinh is Y = arsinh X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Asinh.html
var Asinh = new(graph.Spec)

func init() {
	defineUnary(Asinh, unary{
		name: "Asinh", since: []int{9, 22},
		f: math.Asinh,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value {
			return div(b, dy, b.Add(Sqrt, nil, add(b, square(b, x), one(b, x))))
		},
	})
}
