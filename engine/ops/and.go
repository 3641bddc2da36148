package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// And is C = A and B, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__And.html
var And = new(graph.Spec)

func init() {
	defineBinary(And, binary{name: "And", since: []int{7}, old: []int{1}, kind: kindAnd, types: bools})
}
