package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// BiasAdd is X + bias + skip, bias along the last axis.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.BiasAdd
var BiasAdd = new(graph.Spec)

func init() {
	define(BiasAdd, graph.Def[noAttrs]{
		Name: "BiasAdd", Since: []int{1}, Doc: contrib + "BiasAdd",
		In: []graph.Formal{real("X"), weight("bias"), real("skip")}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{add(b, add(b, n.In[0], n.In[1]), n.In[2])}, nil
		},
	})
}
