package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// Sigmoid is Y = 1/(1 + e^-X), elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Sigmoid.html
var Sigmoid = new(graph.Spec)

// SigmoidGrad is dX = dY·Y·(1 - Y). Inputs Y and dY, of one shape.
var SigmoidGrad = new(graph.Spec)

func init() {
	defineUnary(Sigmoid, unary{
		name: "Sigmoid", role: graph.Probability, since: []int{1, 6, 13},
		fast: kernel.SigmoidF32,
		f:    sigmoid,
		grad: func(b *graph.Builder, _, y, dy graph.Value) graph.Value { return b.Add(SigmoidGrad, nil, y, dy) },
	})
	defineGrad(SigmoidGrad, "SigmoidGrad", "Y", kernel.SigmoidGradF32, func(y, dy float64) float64 { return dy * y * (1 - y) },
		func(b *graph.Builder, y, dy graph.Value) graph.Value {
			return mul(b, dy, mul(b, y, sub(b, one(b, y), y)))
		})
}
