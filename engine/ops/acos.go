package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Acos is Y = arccos X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Acos.html
var Acos = new(graph.Spec)

func init() {
	defineUnary(Acos, unary{
		name: "Acos", since: []int{7, 22},
		f: math.Acos,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value {
			return neg(b, div(b, dy, b.Add(Sqrt, nil, sub(b, one(b, x), square(b, x)))))
		},
	})
}
