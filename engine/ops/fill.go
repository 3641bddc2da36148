package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// FillLike is a tensor of the shape and type of like, filled with the attribute value.
var FillLike = new(graph.Spec)

type fillAttrs struct {
	Value float32 `onnx:"value,default=0"`
}

// Fill adds a tensor of the shape and float type of like filled with v, rounded to single precision.
func Fill(b *graph.Builder, like graph.Value, v float64) graph.Value {
	return b.Add(FillLike, &fillAttrs{Value: float32(v)}, like)
}

func init() {
	define(FillLike, graph.Def[fillAttrs]{
		Domain: Private, Name: "FillLike", Since: []int{1}, Doc: "constant in the shape of like",
		In: []graph.Formal{{Name: "like", NoGrad: true, Shape: true, Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: sameShape[fillAttrs],
		Run: func(a *fillAttrs, c *graph.RunCtx) error {
			fill(c.Out[0], floatScalar(c.Out[0].DType(), float64(a.Value)))
			return nil
		},
		// The result does not depend on the content of like.
		Grad: func(_ *fillAttrs, _ *graph.Builder, n *graph.Node, _ []graph.Value, _ []bool) ([]graph.Value, error) {
			return make([]graph.Value, n.NumIn), nil
		},
		Lower: func(a *fillAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			v := floatScalar(b.DType(n.In[0]), float64(a.Value)).Reshape(1)
			return []graph.Value{b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: v}, b.Add(Shape, nil, n.In[0]))}, nil
		},
	})
}

// floatScalar is the rank-0 tensor of v in float32 or float64.
func floatScalar(d tensor.DType, v float64) *tensor.Tensor {
	if d == tensor.Float64 {
		return tensor.Scalar(v)
	}
	return tensor.Scalar(float32(v))
}
