package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// LayerNormalization is the operator that ONNX has from version 17 on, as ONNX Runtime writes it into files of older versions: in the
// domain ai.onnx, version 1, where ONNX has none, and by early releases in com.microsoft.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/graph/contrib_ops/contrib_defs.cc
var LayerNormalization = new(graph.Spec)

type layerNormAttrs struct {
	Axis    int     `onnx:"axis,default=-1"`
	Epsilon float32 `onnx:"epsilon,default=1e-5"`
	Stash   int     `onnx:"stash_type,default=1"`
}

func init() {
	def := graph.Def[layerNormAttrs]{
		Name: "LayerNormalization", Role: graph.Normalisation, Since: []int{1},
		Doc: "https://onnx.ai/onnx/operators/onnx__LayerNormalization.html",
		In:  []graph.Formal{real("X"), weight("Scale"), bias("B")},
		Out: []graph.Formal{{Name: "Y"}, {Name: "Mean", Optional: true}, {Name: "InvStdDev", Optional: true}},
		Lower: func(a *layerNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return layerNorm(b, n.In[0], n.In[1], input(n, 2), a.Axis, a.Epsilon, wants(n, 1), wants(n, 2)), nil
		},
	}
	define(LayerNormalization, def)
	defineElsewhere(def)
}

// layerNorm is the normalisation of x and, where they are wanted, mean and inverse deviation.
func layerNorm(b *graph.Builder, x, scale, shift graph.Value, axis int, epsilon float32, mean, inv bool) []graph.Value {
	attrs, err := ops.LayerNormalization.DecodeAttrs(graph.Attrs{"axis": int64(axis), "epsilon": epsilon})
	if err != nil {
		b.Fail(err)
		return nil
	}
	in := []graph.Value{x, scale}
	if shift != 0 {
		in = append(in, shift)
	}
	n := b.AddNode("", ops.LayerNormalization, attrs, in, []bool{true, mean, inv})
	if n == nil {
		return nil
	}
	return n.Out
}
