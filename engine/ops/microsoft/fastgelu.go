package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// FastGelu is the approximation by tanh of the Gelu of X + bias, where there is a bias.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.FastGelu
var FastGelu = new(graph.Spec)

func init() {
	defineGelu(FastGelu, "FastGelu", []graph.Formal{real("X"), bias("bias")},
		func(b *graph.Builder, x graph.Value) graph.Value { return gelu(b, x, true) })
}
