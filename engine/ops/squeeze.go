package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Squeeze drops axes of extent 1: those named, or all.
//
// Source: https://onnx.ai/onnx/operators/onnx__Squeeze.html
var Squeeze = new(graph.Spec)

var squeezeOld = new(graph.Spec)

// axesAttrs are the axes of operators that took them as an attribute before opset 13.
type axesAttrs struct {
	Axes []int `onnx:"axes"`
}

func init() {
	define(Squeeze, graph.Def[noAttrs]{
		Name: "Squeeze", Role: graph.View, Since: []int{13, 21, 23, 24, 25}, Doc: "https://onnx.ai/onnx/operators/onnx__Squeeze.html",
		In:  []graph.Formal{{Name: "data"}, {Name: "axes", Optional: true, NoGrad: true, Types: int64s}},
		Out: []graph.Formal{{Name: "squeezed"}}, View: true,
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			var axes []int
			if c.Has(1) {
				var err error
				if axes, err = c.Ints(1); err != nil {
					return err
				}
				if len(axes) == 0 {
					c.Out(0, c.Shape(0)...)
					return nil
				}
			}
			return inferSqueeze(axes, c)
		},
		Run: runView[noAttrs], Grad: gradReshape[noAttrs],
	})
	define(squeezeOld, graph.Def[axesAttrs]{
		Name: "Squeeze", Role: graph.View, Since: []int{1, 11}, Doc: "https://onnx.ai/onnx/operators/onnx__Squeeze.html",
		In: []graph.Formal{{Name: "data"}}, Out: []graph.Formal{{Name: "squeezed"}}, View: true,
		Infer: func(a *axesAttrs, c *graph.InferCtx) error { return inferSqueeze(a.Axes, c) },
		Run:   runView[axesAttrs], Grad: gradReshape[axesAttrs],
	})
}

func inferSqueeze(axes []int, c *graph.InferCtx) error {
	s := c.Shape(0)
	drop := make([]bool, len(s))
	for _, a := range axes {
		k, err := axis(a, len(s))
		if err != nil {
			return err
		}
		if s[k] != 1 {
			return fmt.Errorf("axis %d of shape %v is not 1", a, s)
		}
		drop[k] = true
	}
	out := tensor.Shape{}
	for i, d := range s {
		if drop[i] || (len(axes) == 0 && d == 1) {
			continue
		}
		out = append(out, d)
	}
	c.Out(0, out...)
	return nil
}

// inserted is s with axes of extent 1 at the given positions of the result.
func inserted(s tensor.Shape, axes []int) (tensor.Shape, error) {
	r := len(s) + len(axes)
	_, added, err := axesOf(axes, r)
	if err != nil {
		return nil, err
	}
	out := make(tensor.Shape, 0, r)
	for i, k := 0, 0; i < r; i++ {
		if added[i] {
			out = append(out, 1)
			continue
		}
		out = append(out, s[k])
		k++
	}
	return out, nil
}
