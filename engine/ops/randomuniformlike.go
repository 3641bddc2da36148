package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// RandomUniformLike is RandomUniform in the shape of input and, unless dtype names another, its type.
//
// Source: https://onnx.ai/onnx/operators/onnx__RandomUniformLike.html
var RandomUniformLike = new(graph.Spec)

type randomUniformLikeAttrs struct {
	DType *int     `onnx:"dtype"`
	High  float32  `onnx:"high,default=1"`
	Low   float32  `onnx:"low,default=0"`
	Seed  *float32 `onnx:"seed"`
}

func init() {
	define(RandomUniformLike, graph.Def[randomUniformLikeAttrs]{
		Name: "RandomUniformLike", Since: []int{1, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__RandomUniformLike.html", Random: true,
		In: []graph.Formal{{Name: "input", NoGrad: true}}, Out: []graph.Formal{{Name: "output"}},
		Types: func(a *randomUniformLikeAttrs, in, out []tensor.DType) error {
			return randomType(typeOr(a.DType, in[0]), out)
		},
		Infer: sameShape[randomUniformLikeAttrs],
		Run: func(a *randomUniformLikeAttrs, c *graph.RunCtx) error {
			return runUniform(c, newDraws(c, a.Seed), a.Low, a.High)
		},
	})
	followRules["RandomUniformLike"] = (*follower).refuse
}

// typeOr is the element type that an attribute names, or else d.
func typeOr(attr *int, d tensor.DType) tensor.DType {
	if attr != nil {
		return tensor.DType(*attr)
	}
	return d
}
