package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Softsign is Y = X/(1 + |X|), elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Softsign.html
var Softsign = new(graph.Spec)

func init() {
	defineUnary(Softsign, unary{
		name: "Softsign", role: graph.Activation, since: []int{1, 22},
		f: func(x float64) float64 { return x / (1 + math.Abs(x)) },
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value {
			return div(b, dy, square(b, add(b, b.Add(Abs, nil, x), one(b, x))))
		},
	})
}
