package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// HammingWindow is the window 25/46 - 21/46·cos(2πn/N) of a given size.
//
// Source: https://onnx.ai/onnx/operators/onnx__HammingWindow.html
var HammingWindow = new(graph.Spec)

func init() { defineWindow(HammingWindow, "HammingWindow", 25./46, -21./46, 0) }
