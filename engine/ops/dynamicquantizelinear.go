package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// DynamicQuantizeLinear quantises x to uint8 by the range of its numbers and 0: outputs y, y_scale and y_zero_point. The scale of an x
// that is 0 everywhere is 1, as ONNX Runtime has it.
//
// Source: https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
var DynamicQuantizeLinear = new(graph.Spec)

func init() {
	define(DynamicQuantizeLinear, graph.Def[noAttrs]{
		Name: "DynamicQuantizeLinear", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html",
		In:  []graph.Formal{{Name: "x", Types: []tensor.DType{tensor.Float32}}},
		Out: []graph.Formal{{Name: "y"}, {Name: "y_scale", NoGrad: true}, {Name: "y_zero_point"}},
		Types: func(_ *noAttrs, _, out []tensor.DType) error {
			for i, d := range []tensor.DType{tensor.Uint8, tensor.Float32, tensor.Uint8}[:len(out)] {
				out[i] = d
			}
			return nil
		},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(0)...)
			c.Out(1)
			c.Out(2)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			x := c.In[0].F32()
			scale, zero := dynamicScale(x)
			if c.Want(0) {
				y := tensor.Data[uint8](c.Out[0])
				c.Pool.For(len(x), stretchChunk, func(lo, hi int) {
					kernel.Quantize(y[lo:hi], x[lo:hi], scale, zero, -zero, 255-zero)
				})
			}
			if c.Want(1) {
				c.Out[1].F32()[0] = scale
			}
			if c.Want(2) {
				tensor.Data[uint8](c.Out[2])[0] = uint8(zero)
			}
			return nil
		},
	})
}

// dynamicScale is the scale and the zero point with which uint8 spans the numbers of x, and 0.
func dynamicScale(x []float32) (scale float32, zero int32) {
	var lo, hi float32
	for _, v := range x {
		if v < lo {
			lo = v
		} else if v > hi { // NaN counts for nothing
			hi = v
		}
	}
	scale = (hi - lo) / 255
	if !(scale > 0) || math.IsInf(float64(scale), 0) {
		scale = 1
	}
	z := math.RoundToEven(float64(-lo / scale))
	return scale, int32(min(max(z, 0), 255))
}
