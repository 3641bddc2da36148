package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// CastLike is the input in the element type of a second one; see Cast.
//
// Source: https://onnx.ai/onnx/operators/onnx__CastLike.html
var CastLike = new(graph.Spec)

type castLikeAttrs struct {
	Saturate bool   `onnx:"saturate,default=1"`
	Round    string `onnx:"round_mode,default=up"`
}

func init() {
	define(CastLike, graph.Def[castLikeAttrs]{
		Name: "CastLike", Role: graph.View, Since: []int{15, 19, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__CastLike.html",
		In:  []graph.Formal{{Name: "input"}, {Name: "target_type", NoGrad: true}}, Out: []graph.Formal{{Name: "output"}},
		Types: typeOf[castLikeAttrs](1), Infer: sameShape[castLikeAttrs],
		Run: func(a *castLikeAttrs, c *graph.RunCtx) error {
			mode, err := tensor.ParseRoundMode(a.Round)
			if err != nil {
				return err
			}
			return runCast(c, tensor.CastOptions{NoSaturate: !a.Saturate, Round: mode})
		},
		Grad: gradCast[castLikeAttrs],
	})
}
