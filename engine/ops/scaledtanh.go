package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// ScaledTanh is Y = alpha·tanh(beta·X), elementwise; of the time before ONNX 1.3.
//
// Source: https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-scaledtanh
var ScaledTanh = new(graph.Spec)

type scaledTanhAttrs struct {
	Alpha float32 `onnx:"alpha,required"`
	Beta  float32 `onnx:"beta,required"`
}

func init() {
	define(ScaledTanh, graph.Def[scaledTanhAttrs]{
		Name: "ScaledTanh", Role: graph.Activation, Since: []int{1},
		Doc: "https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-scaledtanh",
		In:  []graph.Formal{{Name: "input", Types: floats}}, Out: []graph.Formal{{Name: "output"}},
		Lower: func(a *scaledTanhAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{scaled(b, b.Add(Tanh, nil, scaled(b, n.In[0], a.Beta)), a.Alpha)}, nil
		},
	})
}
