package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// GemmFastGelu is the approximation by tanh of the Gelu of X·W + bias.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GemmFastGelu
var GemmFastGelu = new(graph.Spec)

func init() {
	define(GemmFastGelu, graph.Def[noAttrs]{
		Name: "GemmFastGelu", Since: []int{1}, Doc: contrib + "GemmFastGelu",
		In: []graph.Formal{real("X"), weight("W"), bias("bias")}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{gelu(b, add(b, matmul(b, n.In[0], n.In[1]), input(n, 2)), true)}, nil
		},
	})
}
