package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// ExpandDims is X with an axis of one inserted.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.ExpandDims
var ExpandDims = new(graph.Spec)

func init() {
	define(ExpandDims, graph.Def[noAttrs]{
		Name: "ExpandDims", Role: graph.View, Since: []int{1}, Doc: contrib + "ExpandDims",
		In: []graph.Formal{{Name: "X"}, whole("axis", false, int32s)}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			axis := reshape(b, whole64(b, n.In[1]), b.Ints(1))
			return []graph.Value{b.Add(ops.Unsqueeze, nil, n.In[0], axis)}, nil
		},
	})
}
