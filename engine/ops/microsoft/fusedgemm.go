package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// FusedGemm is the activation of Gemm(A, B, C), with the attributes of Gemm.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.FusedGemm
var FusedGemm = new(graph.Spec)

type fusedGemmAttrs struct {
	Alpha    float32  `onnx:"alpha,default=1"`
	Beta     float32  `onnx:"beta,default=1"`
	TransA   bool     `onnx:"transA,default=0"`
	TransB   bool     `onnx:"transB,default=0"`
	Act      string   `onnx:"activation"`
	ActAlpha *float32 `onnx:"activation_alpha"`
	ActBeta  *float32 `onnx:"activation_beta"`
	ActGamma *float32 `onnx:"activation_gamma"`
}

func (a *fusedGemmAttrs) activation() activation {
	return activation{a.Act, a.ActAlpha, a.ActBeta, a.ActGamma}
}

func init() {
	define(FusedGemm, graph.Def[fusedGemmAttrs]{
		Name: "FusedGemm", Since: []int{1}, Doc: contrib + "FusedGemm",
		In: []graph.Formal{real("A"), weight("B"), bias("C")}, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *fusedGemmAttrs, _ *graph.Node) error { return a.activation().check() },
		Lower: func(a *fusedGemmAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			attrs := graph.Attrs{"alpha": a.Alpha, "beta": a.Beta, "transA": flag(a.TransA), "transB": flag(a.TransB)}
			y := node(b, ops.Gemm, attrs, n.In[0], n.In[1], input(n, 2))
			return []graph.Value{a.activation().apply(b, y)}, nil
		},
	})
}

// flag is an attribute that is true or not.
func flag(on bool) int64 {
	if on {
		return 1
	}
	return 0
}
