package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// QuantizeLinear is y = saturate(round(x / y_scale) + y_zero_point), elementwise, ties to even, with one scale, one for each place along an
// axis, or one for each block of block_size elements along it. y has the type of y_zero_point, else the attribute output_dtype, else uint8.
// NaN becomes the smallest integer. The quotient is taken in float32, and rounded to half precision where the attribute precision says so.
//
// No gradient goes through a number of few bits; where DequantizeLinear follows with the same scale, the two are one FakeQuantize when a
// graph is differentiated (rewrite.FakeQuantize).
//
// Source: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
var QuantizeLinear = new(graph.Spec)

func init() {
	define(QuantizeLinear, graph.Def[quantizeAttrs]{
		Name: "QuantizeLinear", Role: graph.View, Since: []int{10, 13, 19, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html",
		In: []graph.Formal{{Name: "x", Types: []tensor.DType{tensor.Float32, tensor.Int32}}, {Name: "y_scale", Types: scaleTypes},
			{Name: "y_zero_point", Types: smallTypes, Optional: true, NoGrad: true}},
		Out:   []graph.Formal{{Name: "y"}},
		Types: func(a *quantizeAttrs, in, out []tensor.DType) error { return a.types(in, out) },
		Infer: func(a *quantizeAttrs, c *graph.InferCtx) error { return inferQuantised(c, a.Axis, a.Block) },
		Run:   func(a *quantizeAttrs, c *graph.RunCtx) error { return a.quantize(c, c.Out[0]) },
	})
}

// types is the type rule: that of the zero points and the attribute must agree.
func (a *quantizeAttrs) types(in, out []tensor.DType) error {
	d := tensor.DType(a.Output)
	switch {
	case len(in) > 2 && in[2] != tensor.Undefined:
		if d != tensor.Undefined && d != in[2] {
			return fmt.Errorf("attribute output_dtype says %v, the zero point has type %v", d, in[2])
		}
		d = in[2]
	case d == tensor.Undefined:
		d = tensor.Uint8
	}
	if !contains(smallTypes, d) {
		return fmt.Errorf("attribute output_dtype: %v is no type of quantised numbers", d)
	}
	switch p := tensor.DType(a.Precision); p {
	case tensor.Undefined, tensor.Float32, tensor.Float16, tensor.BFloat16:
	default:
		return fmt.Errorf("attribute precision: %v is no type to divide in", p)
	}
	out[0] = d
	return nil
}

// quantize quantises input 0 into y.
func (a *quantizeAttrs) quantize(c *graph.RunCtx, y *tensor.Tensor) error {
	x := c.In[0]
	g, err := grainOf(x.Shape(), c.In[1].Shape(), a.Axis, a.Block)
	if err != nil {
		return err
	}
	scale, err := scalesIn(c, 1)
	if err != nil {
		return err
	}
	if x.DType() != tensor.Float32 {
		if x, err = x.Convert(tensor.Float32); err != nil {
			return err
		}
	}
	if p := tensor.DType(a.Precision); p == tensor.Float16 || p == tensor.BFloat16 {
		if x, err = a.quotient(c, g, x.F32(), scale); err == nil {
			x, err = rounded(x, p)
		}
		if err != nil {
			return err
		}
		scale = ones32(len(scale))
	}
	if y.DType().IsFloat() {
		return a.quantizeFloat(c, g, x.F32(), scale, y)
	}
	zero, err := zerosIn(c, 2)
	if err != nil {
		return err
	}
	lo, hi := bounds(y.DType())
	out := y
	if d := storage(y.DType()); d != y.DType() {
		if out, err = tensor.Make("quantised numbers", d, y.Shape()...); err != nil {
			return err
		}
	}
	switch out.DType() {
	case tensor.Int8:
		quantizeAll(c, g, tensor.Data[int8](out), x.F32(), scale, zero, lo, hi)
	case tensor.Uint8:
		quantizeAll(c, g, tensor.Data[uint8](out), x.F32(), scale, zero, lo, hi)
	case tensor.Int16:
		quantizeAll(c, g, tensor.Data[int16](out), x.F32(), scale, zero, lo, hi)
	case tensor.Uint16:
		quantizeAll(c, g, tensor.Data[uint16](out), x.F32(), scale, zero, lo, hi)
	default:
		return errType(y)
	}
	return copyAs(y, out, tensor.CastOptions{})
}

func quantizeAll[T kernel.Quantised](c *graph.RunCtx, g *grain, y []T, x, scale []float32, zero []int32, lo, hi int32) {
	g.each(c.Pool, func(a, b, k int) {
		z := zeroAt(zero, k)
		kernel.Quantize(y[a:b], x[a:b], scale[k], z, lo-z, hi-z)
	})
}

// zeroAt is zero point k, 0 when there are none.
func zeroAt(zero []int32, k int) int32 {
	if zero == nil {
		return 0
	}
	return zero[k]
}

// quotient is x divided by the scales.
func (a *quantizeAttrs) quotient(c *graph.RunCtx, g *grain, x, scale []float32) (*tensor.Tensor, error) {
	q, err := tensor.Make("numbers to be quantised", tensor.Float32, len(x))
	if err != nil {
		return nil, err
	}
	out := q.F32()
	g.each(c.Pool, func(lo, hi, k int) {
		for i, v := range x[lo:hi] {
			out[lo+i] = v / scale[k]
		}
	})
	return q, nil
}

// quantizeFloat quantises to floats of few bits, which are rounded as Cast rounds.
func (a *quantizeAttrs) quantizeFloat(c *graph.RunCtx, g *grain, x, scale []float32, y *tensor.Tensor) error {
	q, err := a.quotient(c, g, x, scale)
	if err != nil {
		return err
	}
	if c.Has(2) {
		z, err := scalesIn(c, 2)
		if err != nil {
			return err
		}
		g.each(c.Pool, func(lo, hi, k int) {
			for i := range q.F32()[lo:hi] {
				q.F32()[lo+i] += z[k]
			}
		})
	}
	return copyAs(y, q, tensor.CastOptions{NoSaturate: !a.Saturate})
}

// rounded is t rounded to the type d.
func rounded(t *tensor.Tensor, d tensor.DType) (*tensor.Tensor, error) {
	n, err := t.Convert(d)
	if err != nil {
		return nil, err
	}
	return n.Convert(t.DType())
}

func ones32(n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = 1
	}
	return s
}
