package ml

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Binarizer is 1 where X is above the threshold, else 0, in X's type and shape. It has no gradient: it is constant on both sides.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_Binarizer.html
var Binarizer = new(graph.Spec)

type binarizerAttrs struct {
	Threshold float32 `onnx:"threshold,default=0"`
}

func init() {
	define(Binarizer, graph.Def[binarizerAttrs]{
		Name: "Binarizer", Role: graph.Activation, Since: []int{1},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: sameShape[binarizerAttrs],
		Run: func(a *binarizerAttrs, c *graph.RunCtx) error {
			switch x := c.In[0]; x.DType() {
			case tensor.Float32:
				binarize(c, x.F32(), c.Out[0].F32(), a.Threshold)
			case tensor.Float64:
				binarize(c, tensor.Data[float64](x), tensor.Data[float64](c.Out[0]), a.Threshold)
			case tensor.Int64:
				binarize(c, x.I64(), c.Out[0].I64(), a.Threshold)
			default:
				binarize(c, tensor.Data[int32](x), tensor.Data[int32](c.Out[0]), a.Threshold)
			}
			return nil
		},
	})
}

func binarize[T float32 | float64 | int64 | int32](c *graph.RunCtx, x, y []T, threshold float32) {
	c.Pool.For(len(x), 1<<14, func(lo, hi int) {
		for i, v := range x[lo:hi] {
			y[lo+i] = 0
			if float64(v) > float64(threshold) {
				y[lo+i] = 1
			}
		}
	})
}
