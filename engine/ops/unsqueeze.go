package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Unsqueeze inserts axes of extent 1 at the named positions of the result.
//
// Source: https://onnx.ai/onnx/operators/onnx__Unsqueeze.html
var Unsqueeze = new(graph.Spec)

var unsqueezeOld = new(graph.Spec)

func init() {
	infer := func(axes []int, c *graph.InferCtx) error {
		out, err := inserted(c.Shape(0), axes)
		if err != nil {
			return err
		}
		c.Out(0, out...)
		return nil
	}
	define(Unsqueeze, graph.Def[noAttrs]{
		Name: "Unsqueeze", Role: graph.View, Since: []int{13, 21, 23, 24, 25}, Doc: "https://onnx.ai/onnx/operators/onnx__Unsqueeze.html",
		In:  []graph.Formal{{Name: "data"}, {Name: "axes", NoGrad: true, Types: int64s}},
		Out: []graph.Formal{{Name: "expanded"}}, View: true,
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			axes, err := c.Ints(1)
			if err != nil {
				return err
			}
			return infer(axes, c)
		},
		Run: runView[noAttrs], Grad: gradReshape[noAttrs],
	})
	define(unsqueezeOld, graph.Def[axesAttrs]{
		Name: "Unsqueeze", Role: graph.View, Since: []int{1, 11}, Doc: "https://onnx.ai/onnx/operators/onnx__Unsqueeze.html",
		In: []graph.Formal{{Name: "data"}}, Out: []graph.Formal{{Name: "expanded"}}, View: true,
		Infer: func(a *axesAttrs, c *graph.InferCtx) error { return infer(a.Axes, c) },
		Run:   runView[axesAttrs], Grad: gradReshape[axesAttrs],
	})
}
