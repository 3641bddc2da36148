package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Equal is C = A == B, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__Equal.html
var Equal = new(graph.Spec)

func init() {
	defineBinary(Equal, binary{name: "Equal", since: []int{7, 11, 13, 19}, old: []int{1}, kind: kindEqual,
		types: append([]tensor.DType{tensor.Bool, tensor.String}, numeric...)})
}
