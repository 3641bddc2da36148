package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Greater is C = A > B, elementwise with broadcasting; false where either is NaN.
//
// Source: https://onnx.ai/onnx/operators/onnx__Greater.html
var Greater = new(graph.Spec)

func init() {
	defineBinary(Greater, binary{name: "Greater", since: []int{7, 9, 13}, old: []int{1}, kind: kindGreater, types: numeric})
}
