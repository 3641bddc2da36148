package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Cos is Y = cos X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Cos.html
var Cos = new(graph.Spec)

func init() {
	defineUnary(Cos, unary{
		name: "Cos", since: []int{7, 22},
		f: math.Cos,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value {
			return neg(b, mul(b, dy, b.Add(Sin, nil, x)))
		},
	})
}
