package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// BlackmanWindow is the window 0.42 - 0.5·cos(2πn/N) + 0.08·cos(4πn/N) of a given size.
//
// Source: https://onnx.ai/onnx/operators/onnx__BlackmanWindow.html
var BlackmanWindow = new(graph.Spec)

func init() { defineWindow(BlackmanWindow, "BlackmanWindow", 0.42, -0.5, 0.08) }
