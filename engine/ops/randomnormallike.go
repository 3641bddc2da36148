package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// RandomNormalLike is RandomNormal in the shape of input and, unless dtype names another, its type.
//
// Source: https://onnx.ai/onnx/operators/onnx__RandomNormalLike.html
var RandomNormalLike = new(graph.Spec)

type randomNormalLikeAttrs struct {
	DType *int     `onnx:"dtype"`
	Mean  float32  `onnx:"mean,default=0"`
	Scale float32  `onnx:"scale,default=1"`
	Seed  *float32 `onnx:"seed"`
}

func init() {
	define(RandomNormalLike, graph.Def[randomNormalLikeAttrs]{
		Name: "RandomNormalLike", Since: []int{1, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__RandomNormalLike.html", Random: true,
		In: []graph.Formal{{Name: "input", NoGrad: true}}, Out: []graph.Formal{{Name: "output"}},
		Types: func(a *randomNormalLikeAttrs, in, out []tensor.DType) error {
			return randomType(typeOr(a.DType, in[0]), out)
		},
		Infer: sameShape[randomNormalLikeAttrs],
		Run: func(a *randomNormalLikeAttrs, c *graph.RunCtx) error {
			return runNormal(c, newDraws(c, a.Seed), a.Mean, a.Scale)
		},
	})
	followRules["RandomNormalLike"] = (*follower).refuse
}
