package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// BitwiseXor is the xor of the bits of two integers, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__BitwiseXor.html
var BitwiseXor = new(graph.Spec)

func init() { defineBitwise(BitwiseXor, "BitwiseXor", func(a, b uint64) uint64 { return a ^ b }) }
