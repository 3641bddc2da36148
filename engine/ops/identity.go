package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Identity is Y = X.
//
// Source: https://onnx.ai/onnx/operators/onnx__Identity.html
var Identity = new(graph.Spec)

func init() {
	define(Identity, graph.Def[noAttrs]{
		Name: "Identity", Role: graph.View, Since: []int{1, 13, 14, 16, 19, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__Identity.html",
		In:  []graph.Formal{{Name: "input", Kinds: anyKind}}, Out: []graph.Formal{{Name: "output"}}, View: true,
		Infer: sameShape[noAttrs], Run: runView[noAttrs],
		Grad: func(_ *noAttrs, _ *graph.Builder, _ *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return dy[:1], nil
		},
	})
}
