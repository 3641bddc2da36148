package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Softplus is Y = ln(e^X + 1), elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Softplus.html
var Softplus = new(graph.Spec)

func init() {
	defineUnary(Softplus, unary{
		name: "Softplus", role: graph.Activation, since: []int{1, 22},
		f:    softplus,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value { return mul(b, dy, b.Add(Sigmoid, nil, x)) },
	})
}
