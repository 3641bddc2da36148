package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Compress keeps the slices of input along an axis, or without one the elements of the flattened input, at which condition holds. What is
// beyond the end of condition is left out. It is lowered to a Gather at the places that NonZero finds, which has its gradient.
//
// Source: https://onnx.ai/onnx/operators/onnx__Compress.html
var Compress = new(graph.Spec)

type compressAttrs struct {
	Axis *int `onnx:"axis"`
}

func init() {
	define(Compress, graph.Def[compressAttrs]{
		Name: "Compress", Role: graph.Move, Since: []int{9, 11}, Doc: "https://onnx.ai/onnx/operators/onnx__Compress.html",
		In:  []graph.Formal{{Name: "input"}, {Name: "condition", NoGrad: true, Types: []tensor.DType{tensor.Bool}}},
		Out: []graph.Formal{{Name: "output"}},
		Lower: func(a *compressAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			at := b.Add(Squeeze, nil, b.Add(NonZero, nil, n.In[1]), b.Ints(0)) // condition has one axis
			g := Gather.NewAttrs().(*gatherAttrs)
			x := n.In[0]
			if a.Axis == nil {
				x = b.Add(Reshape, nil, x, b.Ints(-1))
			} else {
				g.Axis = *a.Axis
			}
			return []graph.Value{b.Add(Gather, g, x, at)}, nil
		},
	})
}
