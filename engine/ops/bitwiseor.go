package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// BitwiseOr is the or of the bits of two integers, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__BitwiseOr.html
var BitwiseOr = new(graph.Spec)

func init() { defineBitwise(BitwiseOr, "BitwiseOr", func(a, b uint64) uint64 { return a | b }) }
