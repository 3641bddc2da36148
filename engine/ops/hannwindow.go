package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// HannWindow is the window 1/2 - cos(2πn/N)/2 of a given size.
//
// Source: https://onnx.ai/onnx/operators/onnx__HannWindow.html
var HannWindow = new(graph.Spec)

func init() { defineWindow(HannWindow, "HannWindow", 0.5, -0.5, 0) }
