package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Shrink is X + bias below -lambd, X - bias above lambd, else 0, elementwise. Integers are computed in double precision.
//
// Source: https://onnx.ai/onnx/operators/onnx__Shrink.html
var Shrink = new(graph.Spec)

type shrinkAttrs struct {
	Bias  float32 `onnx:"bias,default=0"`
	Lambd float32 `onnx:"lambd,default=0.5"`
}

func init() {
	define(Shrink, graph.Def[shrinkAttrs]{
		Name: "Shrink", Since: []int{9}, Doc: "https://onnx.ai/onnx/operators/onnx__Shrink.html",
		In: []graph.Formal{{Name: "input", Types: numeric}}, Out: []graph.Formal{{Name: "output"}},
		Lower: func(a *shrinkAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x := n.In[0]
			if !b.DType(x).IsFloat() {
				x = b.Add(Cast, CastTo(tensor.Float64), x)
			}
			k := func(v float32) graph.Value { return b.Scalar(b.DType(x), float64(v)) }
			y := b.Add(Where, nil, b.Add(Greater, nil, x, k(a.Lambd)), sub(b, x, k(a.Bias)), k(0))
			y = b.Add(Where, nil, b.Add(Less, nil, x, k(-a.Lambd)), add(b, x, k(a.Bias)), y)
			return []graph.Value{castTo(b, y, b.DType(n.In[0]))}, nil
		},
	})
}
