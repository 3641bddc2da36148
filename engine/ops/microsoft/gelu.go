package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// Gelu is Y = X·Φ(X), elementwise, Φ the normal distribution function.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Gelu
var Gelu = new(graph.Spec)

func init() {
	defineGelu(Gelu, "Gelu", []graph.Formal{real("X")}, func(b *graph.Builder, x graph.Value) graph.Value { return gelu(b, x, false) })
}
