package microsoft

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// QLinearLeakyRelu is Y = X where X ≥ 0, else alpha·X, elementwise, of a quantised X, quantised.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearLeakyRelu
var QLinearLeakyRelu = new(graph.Spec)

type qlinearLeakyReluAttrs struct {
	Alpha float32 `onnx:"alpha,default=0.01"`
}

func init() {
	define(QLinearLeakyRelu, graph.Def[qlinearLeakyReluAttrs]{
		Name: "QLinearLeakyRelu", Since: []int{1}, Doc: contrib + "QLinearLeakyRelu",
		In:    slices.Concat(quantisedIn("X", true), quantisedOut("Y", true)),
		Out:   []graph.Formal{{Name: "Y"}},
		Types: firstIs[qlinearLeakyReluAttrs](0),
		Lower: func(a *qlinearLeakyReluAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			y := node(b, ops.LeakyRelu, graph.Attrs{"alpha": a.Alpha}, dequantised(b, n, 0))
			return []graph.Value{quantised(b, n, y, 3, b.DType(n.In[0]))}, nil
		},
	})
}
