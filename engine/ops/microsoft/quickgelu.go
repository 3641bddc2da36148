package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// QuickGelu is Y = X·σ(alpha·X), elementwise; with alpha 1 it is SiLU.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QuickGelu
var QuickGelu = new(graph.Spec)

type quickGeluAttrs struct {
	Alpha float32 `onnx:"alpha,default=1.702"`
}

func init() {
	define(QuickGelu, graph.Def[quickGeluAttrs]{
		Name: "QuickGelu", Role: graph.Activation, Since: []int{1}, Doc: contrib + "QuickGelu",
		In: []graph.Formal{real("X")}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(a *quickGeluAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{mul(b, n.In[0], b.Add(ops.Sigmoid, nil, scaled(b, n.In[0], float64(a.Alpha))))}, nil
		},
	})
}
