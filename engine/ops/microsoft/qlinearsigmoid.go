package microsoft

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// QLinearSigmoid is Y = 1 / (1 + e^-X), elementwise, of a quantised X, quantised.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearSigmoid
var QLinearSigmoid = new(graph.Spec)

func init() {
	define(QLinearSigmoid, graph.Def[noAttrs]{
		Name: "QLinearSigmoid", Since: []int{1}, Doc: contrib + "QLinearSigmoid",
		In:    slices.Concat(quantisedIn("X", true), quantisedOut("Y", true)),
		Out:   []graph.Formal{{Name: "Y"}},
		Types: firstIs[noAttrs](0),
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			y := b.Add(ops.Sigmoid, nil, dequantised(b, n, 0))
			return []graph.Value{quantised(b, n, y, 3, b.DType(n.In[0]))}, nil
		},
	})
}
