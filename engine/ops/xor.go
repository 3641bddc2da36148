package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Xor is C = A != B of truth values, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__Xor.html
var Xor = new(graph.Spec)

func init() {
	defineBinary(Xor, binary{name: "Xor", since: []int{7}, old: []int{1}, kind: kindXor, types: bools})
}
