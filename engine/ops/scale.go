package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Scale is Y = scale·X, elementwise; of the time before ONNX 1.3.
//
// Source: https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-scale
var Scale = new(graph.Spec)

type scaleFactorAttrs struct {
	Scale float32 `onnx:"scale,default=1"`
}

func init() {
	define(Scale, graph.Def[scaleFactorAttrs]{
		Name: "Scale", Role: graph.Arithmetic, Since: []int{1},
		Doc: "https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-scale",
		In:  []graph.Formal{{Name: "input", Types: floats}}, Out: []graph.Formal{{Name: "output"}},
		Lower: func(a *scaleFactorAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{scaled(b, n.In[0], a.Scale)}, nil
		},
	})
}
