package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Sin is Y = sin X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Sin.html
var Sin = new(graph.Spec)

func init() {
	defineUnary(Sin, unary{
		name: "Sin", since: []int{7, 22},
		f:    math.Sin,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value { return mul(b, dy, b.Add(Cos, nil, x)) },
	})
}
