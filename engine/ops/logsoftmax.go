package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// LogSoftmax is the logarithm of Softmax.
//
// Source: https://onnx.ai/onnx/operators/onnx__LogSoftmax.html
var LogSoftmax = new(graph.Spec)

func init() { defineSoftmax(LogSoftmax, "LogSoftmax", true) }
