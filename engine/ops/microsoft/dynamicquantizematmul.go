package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// DynamicQuantizeMatMul is A·B plus a bias, where A is quantised by DynamicQuantizeLinear and B is stored quantised, for all or for each
// column.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeMatMul
var DynamicQuantizeMatMul = new(graph.Spec)

func init() {
	define(DynamicQuantizeMatMul, graph.Def[noAttrs]{
		Name: "DynamicQuantizeMatMul", Since: []int{1}, Doc: contrib + "DynamicQuantizeMatMul",
		In: []graph.Formal{{Name: "A", Types: scaleOnly}, {Name: "B", Types: bytesOnly, NoGrad: true},
			{Name: "b_scale", Types: scaleOnly, NoGrad: true}, {Name: "b_zero_point", Types: bytesOnly, NoGrad: true, Optional: true},
			{Name: "bias", Types: scaleOnly, Weight: true, Optional: true}},
		Out:   []graph.Formal{{Name: "Y"}},
		Types: firstIs[noAttrs](0),
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x := b.AddN(ops.DynamicQuantizeLinear, nil, 3, n.In[0])
			return []graph.Value{integerProduct(b, x[0], n.In[1], x[1], n.In[2], x[2], input(n, 3), input(n, 4))}, nil
		},
	})
}
