package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Pad is the operator that ONNX has from version 11 on. The value is a vector of one number, and pads may be a row [1,2·rank].
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Pad
var Pad = new(graph.Spec)

type padAttrs struct {
	Mode string `onnx:"mode,default=constant"`
}

func init() {
	define(Pad, graph.Def[padAttrs]{
		Name: "Pad", Role: graph.Move, Since: []int{1}, Doc: contrib + "Pad",
		In:  []graph.Formal{{Name: "data"}, whole("pads", false, int64s), {Name: "value", Optional: true, NoGrad: true}},
		Out: []graph.Formal{{Name: "output"}},
		Lower: func(a *padAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			pads, value := view(b, n.In[1], -1), input(n, 2)
			if value != 0 {
				value = reshape(b, value, b.Const(tensor.New(tensor.Int64, 0)))
			}
			return []graph.Value{node(b, ops.Pad, graph.Attrs{"mode": a.Mode}, n.In[0], pads, value)}, nil
		},
	})
}
