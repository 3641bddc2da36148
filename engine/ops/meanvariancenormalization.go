package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
)

// MeanVarianceNormalization is Y = (X - mean)/(√variance + 1e-9), both over axes. The gradient where the variance is 0 takes the deviation
// as constant.
//
// Source: https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html
var MeanVarianceNormalization = new(graph.Spec)

type meanVarianceAttrs struct {
	Axes []int `onnx:"axes"`
}

func init() {
	define(MeanVarianceNormalization, graph.Def[meanVarianceAttrs]{
		Name: "MeanVarianceNormalization", Role: graph.Normalisation, Since: []int{9, 13},
		Doc: "https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html",
		In:  []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(a *meanVarianceAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			axes := a.Axes
			if axes == nil {
				axes = []int{0, 2, 3}
			}
			x, at := n.In[0], b.Ints(axes...)
			d := sub(b, x, b.Add(ReduceMean, KeepDims(true), x, at))
			// √variance as a norm, whose gradient at 0 is 0, over √(how many numbers).
			norm := b.Add(ReduceL2, KeepDims(true), d, at)
			count := b.Add(ReduceProd, &reduceAttrs{KeepDims: true}, b.Add(Gather, nil, b.Add(Shape, nil, x), at))
			root := b.Add(Sqrt, nil, b.Add(Cast, CastTo(b.DType(x)), count))
			return []graph.Value{div(b, d, add(b, div(b, norm, root), b.Scalar(b.DType(x), 1e-9)))}, nil
		},
	})
}
