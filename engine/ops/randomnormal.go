package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// RandomNormal has normally distributed numbers. See draws for what they follow from.
//
// Source: https://onnx.ai/onnx/operators/onnx__RandomNormal.html
var RandomNormal = new(graph.Spec)

type randomNormalAttrs struct {
	DType tensor.DType `onnx:"dtype,default=1"`
	Mean  float32      `onnx:"mean,default=0"`
	Scale float32      `onnx:"scale,default=1"`
	Seed  *float32     `onnx:"seed"`
	Shape []int        `onnx:"shape,required"`
}

func init() {
	define(RandomNormal, graph.Def[randomNormalAttrs]{
		Name: "RandomNormal", Since: []int{1, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__RandomNormal.html", Random: true,
		Out:   []graph.Formal{{Name: "output"}},
		Types: func(a *randomNormalAttrs, _, out []tensor.DType) error { return randomType(a.DType, out) },
		Infer: func(a *randomNormalAttrs, c *graph.InferCtx) error { return randomShape(a.Shape, c) },
		Run: func(a *randomNormalAttrs, c *graph.RunCtx) error {
			return runNormal(c, newDraws(c, a.Seed), a.Mean, a.Scale)
		},
	})
}

func runNormal(c *graph.RunCtx, d *draws, mean, scale float32) error {
	return d.fill(c, func(i int) float64 { return float64(mean) + float64(scale)*d.normal(i) })
}
