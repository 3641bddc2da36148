package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Mish is Y = X·tanh(ln(1 + e^X)), elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Mish.html
var Mish = new(graph.Spec)

func init() {
	defineUnary(Mish, unary{
		name: "Mish", role: graph.Activation, since: []int{18, 22},
		f: func(x float64) float64 { return x * math.Tanh(softplus(x)) },
		lower: func(b *graph.Builder, x graph.Value) graph.Value {
			return mul(b, x, b.Add(Tanh, nil, b.Add(Softplus, nil, x)))
		},
	})
}
