package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// MatMulIntegerToFloat is A·B of quantised tensors, as MatMul, in float32, plus a bias. b_scale and b_zero_point are for all or for each
// column.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulIntegerToFloat
var MatMulIntegerToFloat = new(graph.Spec)

func init() {
	define(MatMulIntegerToFloat, graph.Def[noAttrs]{
		Name: "MatMulIntegerToFloat", Since: []int{1}, Doc: contrib + "MatMulIntegerToFloat",
		In: []graph.Formal{{Name: "A", Types: bytesOnly, NoGrad: true}, {Name: "B", Types: bytesOnly, NoGrad: true},
			{Name: "a_scale", Types: scaleOnly, NoGrad: true}, {Name: "b_scale", Types: scaleOnly, NoGrad: true},
			{Name: "a_zero_point", Types: bytesOnly, NoGrad: true, Optional: true},
			{Name: "b_zero_point", Types: bytesOnly, NoGrad: true, Optional: true},
			{Name: "bias", Types: scaleOnly, Weight: true, Optional: true}},
		Out:   []graph.Formal{{Name: "Y"}},
		Types: firstIs[noAttrs](2),
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			y := integerProduct(b, n.In[0], n.In[1], n.In[2], n.In[3], input(n, 4), input(n, 5), input(n, 6))
			return []graph.Value{y}, nil
		},
	})
}

// integerProduct is the product of two quantised tensors in float32, plus a bias, if there is one.
func integerProduct(b *graph.Builder, x, w, sx, sw, zx, zw, bias graph.Value) graph.Value {
	sum := node(b, ops.Cast, graph.Attrs{"to": int64(tensor.Float32)}, node(b, ops.MatMulInteger, nil, x, w, zx, zw))
	y := b.Add(ops.Mul, nil, sum, b.Add(ops.Mul, nil, sx, sw))
	if bias != 0 {
		y = b.Add(ops.Add, nil, y, bias)
	}
	return y
}
