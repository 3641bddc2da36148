package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Log is Y = ln X, elementwise; NaN where X < 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Log.html
var Log = new(graph.Spec)

func init() {
	defineUnary(Log, unary{
		name: "Log", since: []int{1, 6, 13},
		f:    math.Log,
		grad: func(b *graph.Builder, x, _, dy graph.Value) graph.Value { return div(b, dy, x) },
	})
}
