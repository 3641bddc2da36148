package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// GreaterOrEqual is C = A >= B, elementwise with broadcasting; false where either is NaN.
//
// Source: https://onnx.ai/onnx/operators/onnx__GreaterOrEqual.html
var GreaterOrEqual = new(graph.Spec)

func init() {
	defineBinary(GreaterOrEqual, binary{name: "GreaterOrEqual", since: []int{12, 16}, kind: kindGreaterEq, types: numeric})
}
