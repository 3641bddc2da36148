package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// ConstantOfShape is a tensor of the given shape filled with the one element of value, by default a float32 zero.
//
// Source: https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html
var ConstantOfShape = new(graph.Spec)

type constantOfShapeAttrs struct {
	Value *tensor.Tensor `onnx:"value"`
}

func init() {
	define(ConstantOfShape, graph.Def[constantOfShapeAttrs]{
		Name: "ConstantOfShape", Since: []int{9, 20, 21, 23, 24, 25}, Doc: "https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html",
		In: []graph.Formal{{Name: "input", NoGrad: true, Types: int64s}}, Out: []graph.Formal{{Name: "output"}},
		Types: func(a *constantOfShapeAttrs, _, out []tensor.DType) error {
			for i := range out {
				out[i] = tensor.Float32
				if a.Value != nil {
					out[i] = a.Value.DType()
				}
			}
			return nil
		},
		Check: func(a *constantOfShapeAttrs, _ *graph.Node) error {
			if a.Value != nil && a.Value.Len() != 1 {
				return fmt.Errorf("value has %d elements, want 1", a.Value.Len())
			}
			return nil
		},
		Infer: func(_ *constantOfShapeAttrs, c *graph.InferCtx) error {
			shape, err := c.Ints(0)
			if err != nil {
				return err
			}
			c.Out(0, shape...)
			return nil
		},
		Run: func(a *constantOfShapeAttrs, c *graph.RunCtx) error {
			fill(c.Out[0], a.Value)
			return nil
		},
	})
}
