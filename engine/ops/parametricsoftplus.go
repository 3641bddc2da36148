package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// ParametricSoftplus is Y = alpha·ln(exp(beta·X) + 1), elementwise; of the time before ONNX 1.3.
//
// Source: https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-parametricsoftplus
var ParametricSoftplus = new(graph.Spec)

type parametricSoftplusAttrs struct {
	Alpha float32 `onnx:"alpha,required"`
	Beta  float32 `onnx:"beta,required"`
}

func init() {
	define(ParametricSoftplus, graph.Def[parametricSoftplusAttrs]{
		Name: "ParametricSoftplus", Role: graph.Activation, Since: []int{1},
		Doc: "https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-parametricsoftplus",
		In:  []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(a *parametricSoftplusAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{scaled(b, b.Add(Softplus, nil, scaled(b, n.In[0], a.Beta)), a.Alpha)}, nil
		},
	})
}
