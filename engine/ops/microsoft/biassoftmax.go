package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// BiasSoftmax is the Softmax of data + bias along an axis and all that follow. Bias broadcasts to data: over the first axes, or, with
// is_inner_broadcast, over those before the axis.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.BiasSoftmax
var BiasSoftmax = new(graph.Spec)

type biasSoftmaxAttrs struct {
	Axis  int `onnx:"axis,default=1"`
	Inner int `onnx:"is_inner_broadcast,default=0"`
}

func init() {
	define(BiasSoftmax, graph.Def[biasSoftmaxAttrs]{
		Name: "BiasSoftmax", Since: []int{1}, Doc: contrib + "BiasSoftmax",
		In: []graph.Formal{real("data"), real("bias")}, Out: []graph.Formal{{Name: "output"}},
		Lower: func(a *biasSoftmaxAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x := add(b, n.In[0], n.In[1])
			flat, _ := ops.Standard.Find("", "Softmax", 11)
			return []graph.Value{node(b, flat, graph.Attrs{"axis": int64(a.Axis)}, x)}, nil
		},
	})
}
