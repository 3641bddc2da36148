package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// ConvInteger is the convolution of Conv of 8-bit integers x [N,C,i…] with w [M,C/group,k…], their zero points taken off, in int32, which
// wraps around. x has one zero point, w one or one for each output channel. The padding counts as zero.
//
// Source: https://onnx.ai/onnx/operators/onnx__ConvInteger.html
var ConvInteger = new(graph.Spec)

func init() {
	define(ConvInteger, graph.Def[convAttrs]{
		Name: "ConvInteger", Since: []int{10}, Doc: "https://onnx.ai/onnx/operators/onnx__ConvInteger.html",
		In: []graph.Formal{{Name: "x", Types: small8, NoGrad: true}, {Name: "w", Types: small8, NoGrad: true},
			{Name: "x_zero_point", Types: small8, Optional: true, NoGrad: true},
			{Name: "w_zero_point", Types: small8, Optional: true, NoGrad: true}},
		Out:   []graph.Formal{{Name: "y"}},
		Types: outType[convAttrs](tensor.Int32),
		Infer: func(a *convAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			if err := convZeros(c, g, 2, 3); err != nil {
				return err
			}
			c.Out(0, g.outShape()...)
			return nil
		},
		Run: func(a *convAttrs, c *graph.RunCtx) error {
			y := tensor.Data[int32](c.Out[0])
			return a.integers(c, product8{a: 0, b: 1, za: 2, zb: 3}, func(cp *kernel.ConvParams, n, images int, sums []int32) {
				copy(y[n*len(sums)/images:], sums)
			})
		},
	})
}

// convZeros checks the zero points of x and w in inputs zx and zw.
func convZeros(c *graph.InferCtx, g *convGeometry, zx, zw int) error {
	if c.Has(zx) && c.Shape(zx).Len() != 1 {
		return fmt.Errorf("x_zero_point of shape %v, want a scalar", c.Shape(zx))
	}
	if c.Has(zw) && c.Shape(zw).Len() != 1 && !c.Shape(zw).Equal(tensor.Shape{g.m}) {
		return fmt.Errorf("w_zero_point of shape %v, want a scalar or [%d]", c.Shape(zw), g.m)
	}
	return nil
}

// conv8 is the form in which convolutions of 8-bit integers read their weights.
type conv8 struct {
	group int
	zero  string
}

// integers computes the convolution and hands out the results of some images from image n on, [images, M, Out].
func (a *convAttrs) integers(c *graph.RunCtx, in product8, done func(cp *kernel.ConvParams, n, images int, sums []int32)) error {
	cp, err := a.cached(c, c.In[in.a].Shape(), c.In[in.b].Shape())
	if err != nil {
		return err
	}
	zx, err := zerosIn(c, in.za)
	if err != nil {
		return err
	}
	zw, err := zerosIn(c, in.zb)
	if err != nil {
		return err
	}
	w := c.In[in.b]
	pack := func() *kernel.WeightsInt8 {
		return kernel.PackConvInt8(c.Pool, cp, kernel.Int8{Data: w.Bytes(), Signed: w.DType() == tensor.Int8, Zero: zw})
	}
	form := conv8{group: cp.Group}
	if c.Has(in.zb) {
		form.zero = string(c.In[in.zb].Bytes())
	}
	weights := graph.KeepBytes(c, in.b, form, 4*w.Len(), pack)
	if weights == nil {
		weights = pack()
	}
	x := kernel.Int8{Data: c.In[in.a].Bytes(), Signed: c.In[in.a].DType() == tensor.Int8, Zero: zx}
	return kernel.ConvInt8(c.Context, c.Pool, cp, x, weights, func(n, images int, sums []int32) { done(cp, n, images, sums) })
}
