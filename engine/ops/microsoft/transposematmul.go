package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// TransposeMatMul is FusedMatMul by its older name, without transposed batches.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.TransposeMatMul
var TransposeMatMul = new(graph.Spec)

type transposeMatMulAttrs struct {
	Alpha  float32 `onnx:"alpha,default=1"`
	TransA bool    `onnx:"transA,default=0"`
	TransB bool    `onnx:"transB,default=0"`
}

func init() {
	define(TransposeMatMul, graph.Def[transposeMatMulAttrs]{
		Name: "TransposeMatMul", Since: []int{1}, Doc: contrib + "TransposeMatMul",
		In: []graph.Formal{real("A"), weight("B")}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(a *transposeMatMulAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			f := &fusedMatMulAttrs{Alpha: a.Alpha, TransA: a.TransA, TransB: a.TransB}
			return []graph.Value{f.product(b, n)}, nil
		},
	})
}
