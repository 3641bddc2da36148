package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// IsInf is whether X is infinite, elementwise; with detect_negative=0 or detect_positive=0 only of the other sign.
//
// Source: https://onnx.ai/onnx/operators/onnx__IsInf.html
var IsInf = new(graph.Spec)

type isInfAttrs struct {
	Negative bool `onnx:"detect_negative,default=1"`
	Positive bool `onnx:"detect_positive,default=1"`
}

func init() {
	define(IsInf, graph.Def[isInfAttrs]{
		Name: "IsInf", Since: []int{10, 20}, Doc: "https://onnx.ai/onnx/operators/onnx__IsInf.html",
		In: []graph.Formal{{Name: "X", NoGrad: true}}, Out: []graph.Formal{{Name: "Y"}}, Types: outType[isInfAttrs](tensor.Bool),
		Infer: sameShape[isInfAttrs],
		Run: func(a *isInfAttrs, c *graph.RunCtx) error {
			return testFloats(c, func(x float64) bool { return a.Positive && math.IsInf(x, 1) || a.Negative && math.IsInf(x, -1) })
		},
	})
}
