package microsoft

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// QLinearWhere is Z = X where the condition is true, else Y, of quantised X and Y, with broadcasting, quantised.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearWhere
var QLinearWhere = new(graph.Spec)

func init() {
	define(QLinearWhere, graph.Def[noAttrs]{
		Name: "QLinearWhere", Since: []int{1}, Doc: contrib + "QLinearWhere",
		In: slices.Concat([]graph.Formal{{Name: "condition", Types: []tensor.DType{tensor.Bool}, NoGrad: true}}, quantisedIn("X", false),
			quantisedIn("Y", false), quantisedOut("Z", false)),
		Out:   []graph.Formal{{Name: "Z"}},
		Types: firstIs[noAttrs](1),
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			z := b.Add(ops.Where, nil, n.In[0], dequantised(b, n, 1), dequantised(b, n, 4))
			return []graph.Value{quantised(b, n, z, 7, b.DType(n.In[1]))}, nil
		},
	})
}
