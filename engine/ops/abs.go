package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// Abs is Y = |X|, elementwise. The gradient at 0 is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Abs.html
var Abs = new(graph.Spec)

func init() {
	defineUnary(Abs, unary{
		name: "Abs", since: []int{1, 6, 13},
		types: numeric,
		fast:  kernel.AbsF32,
		f:     math.Abs,
		i:     func(x int64) int64 { return max(x, -x) },
		grad:  func(b *graph.Builder, x, _, dy graph.Value) graph.Value { return mul(b, dy, b.Add(Sign, nil, x)) },
	})
}
