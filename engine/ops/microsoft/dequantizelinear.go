package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// DequantizeLinear is that of ai.onnx, by another name: for types that ai.onnx did not have then.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DequantizeLinear
var DequantizeLinear = new(graph.Spec)

func init() {
	all := append([]tensor.DType{tensor.Int32}, grids...)
	define(DequantizeLinear, graph.Def[gridAttrs]{
		Name: "DequantizeLinear", Role: graph.View, Since: []int{1}, Doc: contrib + "DequantizeLinear",
		In: []graph.Formal{{Name: "x", Types: all, NoGrad: true}, {Name: "x_scale", Types: scaleOnly},
			{Name: "x_zero_point", Types: all, Optional: true, NoGrad: true}},
		Out: []graph.Formal{{Name: "y"}},
		Types: func(_ *gridAttrs, _, out []tensor.DType) error {
			out[0] = tensor.Float32
			return nil
		},
		Lower: func(a *gridAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{dequantise(b, n.In[0], n.In[1], input(n, 2), a.attrs())}, nil
		},
	})
}
