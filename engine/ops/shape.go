package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Shape is the shape of its input as int64, from axis start up to end.
//
// Source: https://onnx.ai/onnx/operators/onnx__Shape.html
var Shape = new(graph.Spec)

type shapeAttrs struct {
	Start int  `onnx:"start,default=0"`
	End   *int `onnx:"end"`
}

func init() {
	define(Shape, graph.Def[shapeAttrs]{
		Name: "Shape", Since: []int{1, 13, 15, 19, 21, 23, 24, 25}, Doc: "https://onnx.ai/onnx/operators/onnx__Shape.html",
		In: []graph.Formal{{Name: "data", NoGrad: true}}, Out: []graph.Formal{{Name: "shape"}},
		Types: outType[shapeAttrs](tensor.Int64),
		Infer: func(a *shapeAttrs, c *graph.InferCtx) error {
			c.OutValue(0, shapeOf(a, c.Shape(0)))
			return nil
		},
		Run: func(a *shapeAttrs, c *graph.RunCtx) error {
			copy(c.Out[0].I64(), shapeOf(a, c.In[0].Shape()).I64())
			return nil
		},
	})
}

func shapeOf(a *shapeAttrs, s tensor.Shape) *tensor.Tensor {
	clamp := func(i int) int {
		if i < 0 {
			i += len(s)
		}
		return min(max(i, 0), len(s))
	}
	lo, hi := clamp(a.Start), len(s)
	if a.End != nil {
		hi = clamp(*a.End)
	}
	out := []int64{}
	for i := lo; i < hi; i++ {
		out = append(out, int64(s[i]))
	}
	return tensor.From(out, len(out))
}
