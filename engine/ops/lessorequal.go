package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// LessOrEqual is C = A <= B, elementwise with broadcasting; false where either is NaN.
//
// Source: https://onnx.ai/onnx/operators/onnx__LessOrEqual.html
var LessOrEqual = new(graph.Spec)

func init() {
	defineBinary(LessOrEqual, binary{name: "LessOrEqual", since: []int{12, 16}, kind: kindLessEq, types: numeric})
}
