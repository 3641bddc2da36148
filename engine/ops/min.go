package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Min is the smallest of all operands, elementwise with broadcasting; NaN when one is. The gradient is shared equally among the operands
// that are it.
//
// Source: https://onnx.ai/onnx/operators/onnx__Min.html
var Min = new(graph.Spec)

func init() {
	defineVariadic(Min, variadic{name: "Min", since: []int{1, 6, 8, 12, 13}, out: "min", kind: kindMin, types: numeric, grad: gradExtreme})
}
