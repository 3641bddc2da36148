package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// Tanh is Y = tanh X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Tanh.html
var Tanh = new(graph.Spec)

// TanhGrad is dX = dY·(1 - Y²). Inputs Y and dY, of one shape.
var TanhGrad = new(graph.Spec)

func init() {
	defineUnary(Tanh, unary{
		name: "Tanh", role: graph.Activation, since: []int{1, 6, 13},
		fast: kernel.TanhF32,
		f:    math.Tanh,
		grad: func(b *graph.Builder, _, y, dy graph.Value) graph.Value { return b.Add(TanhGrad, nil, y, dy) },
	})
	defineGrad(TanhGrad, "TanhGrad", "Y", kernel.TanhGradF32, func(y, dy float64) float64 { return dy * (1 - y*y) },
		func(b *graph.Builder, y, dy graph.Value) graph.Value {
			return mul(b, dy, sub(b, one(b, y), square(b, y)))
		})
}
