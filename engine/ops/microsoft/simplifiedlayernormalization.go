package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// SimplifiedLayerNormalization is RMSNormalization as ONNX Runtime writes it: in the domain ai.onnx, version 1, or in com.microsoft. Its
// second output is the inverse of the root of the mean of squares.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/graph/contrib_ops/contrib_defs.cc
var SimplifiedLayerNormalization = new(graph.Spec)

func init() {
	def := graph.Def[layerNormAttrs]{
		Name: "SimplifiedLayerNormalization", Role: graph.Normalisation, Since: []int{1},
		Doc: "https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/graph/contrib_ops/contrib_defs.cc",
		In:  []graph.Formal{real("X"), weight("scale")},
		Out: []graph.Formal{{Name: "Y"}, {Name: "inv_std_var", Optional: true}},
		Lower: func(a *layerNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return rmsNorm(b, n.In[0], n.In[1], a.Axis, a.Epsilon, wants(n, 1)), nil
		},
	}
	define(SimplifiedLayerNormalization, def)
	defineElsewhere(def)
}

// rmsNorm is x over the root of the mean of its squares, times scale, and that root's inverse where it is wanted.
func rmsNorm(b *graph.Builder, x, scale graph.Value, axis int, epsilon float32, inv bool) []graph.Value {
	out := []graph.Value{node(b, ops.RMSNormalization, graph.Attrs{"axis": int64(axis), "epsilon": epsilon}, x, scale), 0}
	if inv {
		flat := node(b, ops.Flatten, graph.Attrs{"axis": int64(axis)}, x)
		mean := node(b, ops.ReduceMean, graph.Attrs{"keepdims": int64(1)}, mul(b, flat, flat), b.Ints(1))
		root := b.Add(ops.Sqrt, nil, add(b, mean, b.Scalar(b.DType(x), float64(epsilon))))
		// One number for each row: the extents before the axis, then ones.
		before, after := extents(b, x, 0, axis), extents(b, x, axis, end)
		ones := b.Add(ops.Expand, nil, b.Ints(1), b.Add(ops.Shape, nil, after))
		out[1] = reshape(b, b.Add(ops.Reciprocal, nil, root), before, ones)
	}
	return out
}
