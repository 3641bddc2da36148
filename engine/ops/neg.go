package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Neg is Y = -X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Neg.html
var Neg = new(graph.Spec)

func init() {
	defineUnary(Neg, unary{
		name: "Neg", since: []int{1, 6, 13},
		types: []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64},
		fast:  kernel.NegF32,
		f:     func(x float64) float64 { return -x },
		i:     func(x int64) int64 { return -x },
		grad:  func(b *graph.Builder, _, _, dy graph.Value) graph.Value { return neg(b, dy) },
	})
}
