package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// IsNaN is whether X is not a number, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__IsNaN.html
var IsNaN = new(graph.Spec)

func init() {
	define(IsNaN, graph.Def[noAttrs]{
		Name: "IsNaN", Since: []int{9, 13, 20}, Doc: "https://onnx.ai/onnx/operators/onnx__IsNaN.html",
		In: []graph.Formal{{Name: "X", NoGrad: true}}, Out: []graph.Formal{{Name: "Y"}}, Types: outType[noAttrs](tensor.Bool),
		Infer: sameShape[noAttrs],
		Run:   func(_ *noAttrs, c *graph.RunCtx) error { return testFloats(c, math.IsNaN) },
	})
}

// testFloats is Out[0] = f(In[0]) for any floating-point type.
func testFloats(c *graph.RunCtx, f func(float64) bool) error {
	out := tensor.Data[bool](c.Out[0])
	switch x := c.In[0]; {
	case x.DType() == tensor.Float32:
		kernel.Map(c.Pool, out, x.F32(), func(v float32) bool { return f(float64(v)) })
	case x.DType().IsFloat():
		for i, v := range x.Float64s() {
			out[i] = f(v)
		}
	default:
		return errType(x)
	}
	return nil
}
