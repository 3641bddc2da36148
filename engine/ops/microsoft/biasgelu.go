package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// BiasGelu is the Gelu of A + B, B the bias of the last axis.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.BiasGelu
var BiasGelu = new(graph.Spec)

func init() {
	defineGelu(BiasGelu, "BiasGelu", []graph.Formal{real("A"), weight("B")},
		func(b *graph.Builder, x graph.Value) graph.Value { return gelu(b, x, false) })
}
