package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Max is the largest of all operands, elementwise with broadcasting; NaN when one is. The gradient is shared equally among the operands
// that are it.
//
// Source: https://onnx.ai/onnx/operators/onnx__Max.html
var Max = new(graph.Spec)

func init() {
	defineVariadic(Max, variadic{name: "Max", since: []int{1, 6, 8, 12, 13}, out: "max", kind: kindMax, types: numeric, grad: gradExtreme})
}
