package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Reciprocal is Y = 1/X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__Reciprocal.html
var Reciprocal = new(graph.Spec)

func init() {
	defineUnary(Reciprocal, unary{
		name: "Reciprocal", since: []int{1, 6, 13},
		fast: func(p *parallel.Pool, out, a []float32) { kernel.RDivScalarF32(p, out, a, 1) },
		f:    func(x float64) float64 { return 1 / x },
		grad: func(b *graph.Builder, _, y, dy graph.Value) graph.Value { return neg(b, mul(b, dy, square(b, y))) },
	})
}
