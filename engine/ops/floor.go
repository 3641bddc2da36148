package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Floor is Y = ⌊X⌋, elementwise. Its gradient is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Floor.html
var Floor = new(graph.Spec)

func init() {
	defineUnary(Floor, unary{
		name: "Floor", since: []int{1, 6, 13},
		f:    math.Floor,
		grad: func(b *graph.Builder, _, _, _ graph.Value) graph.Value { return 0 },
	})
}
