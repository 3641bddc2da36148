package microsoft

import "github.com/gtk-onnx/gtk/engine/graph"

// FusedMatMulActivation is the activation of a FusedMatMul, whose attributes it has.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.FusedMatMulActivation
var FusedMatMulActivation = new(graph.Spec)

type fusedMatMulActivationAttrs struct {
	Alpha       float32  `onnx:"alpha,default=1"`
	TransA      bool     `onnx:"transA,default=0"`
	TransB      bool     `onnx:"transB,default=0"`
	TransBatchA bool     `onnx:"transBatchA,default=0"`
	TransBatchB bool     `onnx:"transBatchB,default=0"`
	Act         string   `onnx:"activation,required"`
	ActAlpha    *float32 `onnx:"activation_alpha"`
	ActBeta     *float32 `onnx:"activation_beta"`
	ActGamma    *float32 `onnx:"activation_gamma"`
	ActAxis     *int     `onnx:"activation_axis"` // of activations along an axis, which are refused
}

func (a *fusedMatMulActivationAttrs) activation() activation {
	return activation{a.Act, a.ActAlpha, a.ActBeta, a.ActGamma}
}

func init() {
	define(FusedMatMulActivation, graph.Def[fusedMatMulActivationAttrs]{
		Name: "FusedMatMulActivation", Since: []int{1}, Doc: contrib + "FusedMatMulActivation",
		In: []graph.Formal{real("A"), weight("B")}, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *fusedMatMulActivationAttrs, _ *graph.Node) error { return a.activation().check() },
		Lower: func(a *fusedMatMulActivationAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			f := &fusedMatMulAttrs{a.Alpha, a.TransA, a.TransB, a.TransBatchA, a.TransBatchB}
			return []graph.Value{a.activation().apply(b, f.product(b, n))}, nil
		},
	})
}
