package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Trilu is the operator that ONNX has from version 14 on.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Trilu
var Trilu = new(graph.Spec)

type triluAttrs struct {
	Upper bool `onnx:"upper,default=1"`
}

func init() {
	define(Trilu, graph.Def[triluAttrs]{
		Name: "Trilu", Role: graph.Move, Since: []int{1}, Doc: contrib + "Trilu",
		In: []graph.Formal{{Name: "X"}, whole("k", true, int64s)}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(a *triluAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{node(b, ops.Trilu, graph.Attrs{"upper": flag(a.Upper)}, n.In[0], input(n, 1))}, nil
		},
	})
}
