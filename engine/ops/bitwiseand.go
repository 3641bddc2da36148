package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// BitwiseAnd is the and of the bits of two integers, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__BitwiseAnd.html
var BitwiseAnd = new(graph.Spec)

func init() { defineBitwise(BitwiseAnd, "BitwiseAnd", func(a, b uint64) uint64 { return a & b }) }
