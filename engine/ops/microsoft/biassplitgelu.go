package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// BiasSplitGelu is L·Gelu(R), L and R the halves of X + bias along the last axis.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.BiasSplitGelu
var BiasSplitGelu = new(graph.Spec)

func init() {
	define(BiasSplitGelu, graph.Def[noAttrs]{
		Name: "BiasSplitGelu", Since: []int{1}, Doc: contrib + "BiasSplitGelu",
		In: []graph.Formal{real("X"), weight("bias")}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			part := equalParts(b, add(b, n.In[0], n.In[1]), -1, 2)
			return []graph.Value{mul(b, part[0], gelu(b, part[1], false))}, nil
		},
	})
}
