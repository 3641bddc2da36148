package microsoft

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// QLinearAdd is C = A + B of quantised A and B, with broadcasting, quantised. As in ONNX Runtime the zero point of C is added before
// the rounding: C = saturate(round(A·ra + k + B·rb)), where ra = A_scale/C_scale, rb = B_scale/C_scale and
// k = C_zero_point − ra·A_zero_point − rb·B_zero_point.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearAdd,
// https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/qladd.cpp
var QLinearAdd = new(graph.Spec)

func init() {
	define(QLinearAdd, graph.Def[noAttrs]{
		Name: "QLinearAdd", Since: []int{1}, Doc: contrib + "QLinearAdd",
		In:    slices.Concat(quantisedIn("A", true), quantisedIn("B", true), quantisedOut("C", true)),
		Out:   []graph.Formal{{Name: "C"}},
		Types: firstIs[noAttrs](0),
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(ops.QuantisedAdd, nil, n.In...)}, nil
		},
	})
}
