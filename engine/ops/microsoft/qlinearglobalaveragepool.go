package microsoft

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// QLinearGlobalAveragePool is the mean over all positions of a quantised X [N,C,…], or [N,…,C] with channels_last, quantised; the spatial
// axes stay, with extent 1.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearGlobalAveragePool
var QLinearGlobalAveragePool = new(graph.Spec)

type qlinearGlobalPoolAttrs struct {
	Last bool `onnx:"channels_last,default=0"`
}

func init() {
	define(QLinearGlobalAveragePool, graph.Def[qlinearGlobalPoolAttrs]{
		Name: "QLinearGlobalAveragePool", Since: []int{1}, Doc: contrib + "QLinearGlobalAveragePool",
		In:    slices.Concat(quantisedIn("X", false), quantisedOut("Y", false)),
		Out:   []graph.Formal{{Name: "Y"}},
		Types: firstIs[qlinearGlobalPoolAttrs](0),
		Lower: func(a *qlinearGlobalPoolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			axes := axesFrom(b, n.In[0], 2, 0)
			if a.Last {
				axes = axesFrom(b, n.In[0], 1, 1)
			}
			y := b.Add(ops.ReduceMean, nil, dequantised(b, n, 0), axes)
			return []graph.Value{quantised(b, n, y, 3, b.DType(n.In[0]))}, nil
		},
	})
}
