package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Less is C = A < B, elementwise with broadcasting; false where either is NaN.
//
// Source: https://onnx.ai/onnx/operators/onnx__Less.html
var Less = new(graph.Spec)

func init() {
	defineBinary(Less, binary{name: "Less", since: []int{7, 9, 13}, old: []int{1}, kind: kindLess, types: numeric})
}
