package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// SkipLayerNormalization is the LayerNormalization over the last axis of input + bias + skip. The second and third outputs are mean and
// inverse deviation, the fourth the sum. Skip may lack the batch.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.SkipLayerNormalization
var SkipLayerNormalization = new(graph.Spec)

type skipLayerNormAttrs struct {
	Epsilon float32 `onnx:"epsilon,default=1e-12"`
}

func init() {
	define(SkipLayerNormalization, graph.Def[skipLayerNormAttrs]{
		Name: "SkipLayerNormalization", Since: []int{1}, Doc: contrib + "SkipLayerNormalization",
		In: []graph.Formal{real("input"), real("skip"), weight("gamma"), bias("beta"), bias("bias")}, Out: skipOutputs,
		Lower: func(a *skipLayerNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x := skipSum(b, n.In[0], n.In[1], input(n, 4))
			return append(layerNorm(b, x, n.In[2], input(n, 3), -1, a.Epsilon, wants(n, 1), wants(n, 2)), x), nil
		},
	})
}

var skipOutputs = []graph.Formal{{Name: "output"}, {Name: "mean", Optional: true}, {Name: "inv_std_var", Optional: true},
	{Name: "input_skip_bias_sum", Optional: true}}

// skipSum adds the bias, which is usually that of the product that input is, and then the skip.
func skipSum(b *graph.Builder, input, skip, bias graph.Value) graph.Value {
	return add(b, add(b, input, bias), skip)
}
