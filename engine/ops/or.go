package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Or is C = A or B, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__Or.html
var Or = new(graph.Spec)

func init() {
	defineBinary(Or, binary{name: "Or", since: []int{7}, old: []int{1}, kind: kindOr, types: bools})
}
