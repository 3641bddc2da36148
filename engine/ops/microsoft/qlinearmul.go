package microsoft

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// QLinearMul is C = A·B of quantised A and B, with broadcasting, quantised. As in ONNX Runtime the zero point of C is added before
// the rounding: C = saturate(round((A − A_zero_point)(B − B_zero_point)·(A_scale·B_scale/C_scale) + C_zero_point)).
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearMul,
// https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/qlmul.cpp
var QLinearMul = new(graph.Spec)

func init() {
	define(QLinearMul, graph.Def[noAttrs]{
		Name: "QLinearMul", Since: []int{1}, Doc: contrib + "QLinearMul",
		In:    slices.Concat(quantisedIn("A", true), quantisedIn("B", true), quantisedOut("C", true)),
		Out:   []graph.Formal{{Name: "C"}},
		Types: firstIs[noAttrs](0),
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(ops.QuantisedMul, nil, n.In...)}, nil
		},
	})
}
