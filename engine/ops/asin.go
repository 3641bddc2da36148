package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Asin is Y = arcsin X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Asin.html
var Asin = new(graph.Spec)

func init() {
	defineUnary(Asin, unary{
		name: "Asin", since: []int{7, 22},
		f: math.Asin,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value {
			return div(b, dy, b.Add(Sqrt, nil, sub(b, one(b, x), square(b, x))))
		},
	})
}
