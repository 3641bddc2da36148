package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// QLinearConv is the convolution of Conv of quantised x [N,C,i…] with w [M,C/group,k…], quantised with y_scale and y_zero_point:
// y = saturate(round((Σ(x − zx)(w − zw) + B) · (x_scale·w_scale / y_scale)) + zy). w has one scale and zero point or one for each output
// channel; the bias B [M] is quantised with x_scale·w_scale. Sums are exact in int32, which wraps around.
//
// Source: https://onnx.ai/onnx/operators/onnx__QLinearConv.html
var QLinearConv = new(graph.Spec)

func init() {
	of := func(name string) graph.Formal { return graph.Formal{Name: name, Types: small8, NoGrad: true} }
	scale := func(name string) graph.Formal {
		return graph.Formal{Name: name, Types: []tensor.DType{tensor.Float32}, NoGrad: true}
	}
	define(QLinearConv, graph.Def[convAttrs]{
		Name: "QLinearConv", Since: []int{10}, Doc: "https://onnx.ai/onnx/operators/onnx__QLinearConv.html",
		In: []graph.Formal{of("x"), scale("x_scale"), of("x_zero_point"), of("w"), scale("w_scale"), of("w_zero_point"), scale("y_scale"),
			of("y_zero_point"), {Name: "B", Types: []tensor.DType{tensor.Int32}, Optional: true, NoGrad: true}},
		Out: []graph.Formal{{Name: "y"}},
		Types: func(_ *convAttrs, in, out []tensor.DType) error {
			for _, p := range [][2]int{{0, 2}, {3, 5}} {
				if in[p[0]] != in[p[1]] {
					return fmt.Errorf("zero points of type %v for numbers of type %v", in[p[1]], in[p[0]])
				}
			}
			out[0] = in[7]
			return nil
		},
		Infer: func(a *convAttrs, c *graph.InferCtx) error {
			g, err := a.geometry(c.Shape(0), c.Shape(3))
			if err != nil {
				return err
			}
			if err := convZeros(c, g, 2, 5); err != nil {
				return err
			}
			if s := c.Shape(4); s.Len() != 1 && !s.Equal(tensor.Shape{g.m}) {
				return fmt.Errorf("w_scale of shape %v, want a scalar or [%d]", s, g.m)
			}
			for _, i := range []int{1, 6, 7} {
				if c.Shape(i).Len() != 1 {
					return fmt.Errorf("input %s of shape %v, want a scalar", c.Node.Op.In[i].Name, c.Shape(i))
				}
			}
			if c.Has(8) && !c.Shape(8).Equal(tensor.Shape{g.m}) {
				return fmt.Errorf("bias has shape %v, want [%d]", c.Shape(8), g.m)
			}
			c.Out(0, g.outShape()...)
			return nil
		},
		Run: qlinearConv,
	})
}

func qlinearConv(a *convAttrs, c *graph.RunCtx) error {
	zero, err := zerosIn(c, 7)
	if err != nil {
		return err
	}
	var bias []int32
	if c.Has(8) {
		bias = tensor.Data[int32](c.In[8])
	}
	sx, sw, sy := c.In[1].F32()[0], c.In[4].F32(), c.In[6].F32()[0]
	z := zero[0]
	lo, hi := bounds(c.Out[0].DType())
	out := kernel.Bytes{Scale: 1, Zero: z, Signed: c.Out[0].DType() == tensor.Int8}
	y := c.Out[0].Bytes()
	return a.integers(c, product8{a: 0, b: 3, za: 2, zb: 5}, func(cp *kernel.ConvParams, n, images int, sums []int32) {
		o := cp.Out[0] * cp.Out[1] * cp.Out[2]
		dst := y[n*cp.M*o:]
		c.Pool.For(images*cp.M, max(1, stretchChunk/max(1, o)), func(from, to int) {
			for i := from; i < to; i++ {
				m := i % cp.M
				b := int32(0)
				if bias != nil {
					b = bias[m]
				}
				kernel.RequantizeBytes(dst[i*o:][:o], sums[i*o:], b, sx*sw[min(m, len(sw)-1)]/sy, out, float32(lo-z), float32(hi-z))
			}
		})
	})
}
