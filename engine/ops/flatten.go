package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Flatten is the input as a matrix: the axes before axis are its rows, the others its columns.
//
// Source: https://onnx.ai/onnx/operators/onnx__Flatten.html
var Flatten = new(graph.Spec)

type flattenAttrs struct {
	Axis int `onnx:"axis,default=1"`
}

func init() {
	define(Flatten, graph.Def[flattenAttrs]{
		Name: "Flatten", Role: graph.View, Since: []int{1, 9, 11, 13, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__Flatten.html",
		In:  []graph.Formal{{Name: "input"}}, Out: []graph.Formal{{Name: "output"}}, View: true,
		Infer: func(a *flattenAttrs, c *graph.InferCtx) error {
			s, k := c.Shape(0), a.Axis
			if k < 0 {
				k += len(s)
			}
			if k < 0 || k > len(s) {
				return fmt.Errorf("axis %d is outside rank %d", a.Axis, len(s))
			}
			c.Out(0, product(s[:k]), product(s[k:]))
			return nil
		},
		Run:  runView[flattenAttrs],
		Grad: gradReshape[flattenAttrs],
	})
}
