package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// StopGradient is Y = X, and no gradient goes back through it: what a loss takes as given although a model computed it.
var StopGradient = new(graph.Spec)

func init() {
	define(StopGradient, graph.Def[noAttrs]{
		Domain: Private, Name: "StopGradient", Since: []int{1}, Doc: "its input, through which no gradient goes",
		In: []graph.Formal{{Name: "X", NoGrad: true}}, Out: []graph.Formal{{Name: "Y"}}, View: true,
		Infer: sameShape[noAttrs], Run: runView[noAttrs],
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(Identity, nil, n.In[0])}, nil
		},
	})
}
