package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// QuantisedMul is C = A·B of quantised A and B, with broadcasting, quantised, as ONNX Runtime computes it: the zero point of C is added
// before the rounding, C = saturate(round((A − a_zero_point)(B − b_zero_point)·(a_scale·b_scale/c_scale) + c_zero_point)), in float32.
// Inputs are those of QuantisedAdd.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/qlmul.cpp
var QuantisedMul = new(graph.Spec)

func init() {
	defineQuantised2(QuantisedMul, "QuantisedMul", func(s, z [3]float32) func(a, b float32) float32 {
		r := float32(s[0]*s[1]) / s[2]
		return func(a, b float32) float32 { return float32(float32((a-z[0])*(b-z[1]))*r) + z[2] }
	}, nil, func(b *graph.Builder, n *graph.Node) graph.Value {
		r := div(b, mul(b, n.In[1], n.In[4]), input(n, 6))
		x := sub(b, asNumber(b, n.In[0]), asNumber(b, input(n, 2)))
		y := sub(b, asNumber(b, n.In[3]), asNumber(b, input(n, 5)))
		return add(b, mul(b, mul(b, x, y), r), asNumber(b, input(n, 7)))
	})
}
