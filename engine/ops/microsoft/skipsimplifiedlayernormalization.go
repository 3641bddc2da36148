package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// SkipSimplifiedLayerNormalization is the RMSNormalization over the last axis of input + bias + skip. The third output is the inverse
// root, the fourth the sum.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.SkipSimplifiedLayerNormalization
var SkipSimplifiedLayerNormalization = new(graph.Spec)

func init() {
	define(SkipSimplifiedLayerNormalization, graph.Def[skipLayerNormAttrs]{
		Name: "SkipSimplifiedLayerNormalization", Since: []int{1},
		Doc: contrib + "SkipSimplifiedLayerNormalization",
		In:  []graph.Formal{real("input"), real("skip"), weight("gamma"), bias("bias")}, Out: skipOutputs,
		Lower: func(a *skipLayerNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x := skipSum(b, n.In[0], n.In[1], input(n, 3))
			y := rmsNorm(b, x, n.In[2], -1, a.Epsilon, wants(n, 2))
			return []graph.Value{y[0], 0, y[1], x}, nil
		},
	})
}
