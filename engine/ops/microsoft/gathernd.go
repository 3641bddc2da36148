package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// GatherND is the operator that ONNX has from version 11 on, without batch axes.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GatherND
var GatherND = new(graph.Spec)

func init() {
	define(GatherND, graph.Def[noAttrs]{
		Name: "GatherND", Role: graph.Move, Since: []int{1}, Doc: contrib + "GatherND",
		In: []graph.Formal{{Name: "data"}, whole("indices", false, indexes)}, Out: []graph.Formal{{Name: "output"}},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(ops.GatherND, nil, n.In[0], whole64(b, n.In[1]))}, nil
		},
	})
}
