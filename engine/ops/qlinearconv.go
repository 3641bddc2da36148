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
		Run: func(a *convAttrs, c *graph.RunCtx) error {
			if c.Out[0].DType() == tensor.Int8 {
				return qlinearConv(a, c, tensor.Data[int8](c.Out[0]))
			}
			return qlinearConv(a, c, tensor.Data[uint8](c.Out[0]))
		},
	})
}

func qlinearConv[T int8 | uint8](a *convAttrs, c *graph.RunCtx, y []T) error {
	zero, err := zerosIn(c, 7)
	if err != nil {
		return err
	}
	var bias []int32
	if c.Has(8) {
		bias = tensor.Data[int32](c.In[8])
	}
	sx, sw, sy := c.In[1].F32()[0], c.In[4].F32(), c.In[6].F32()[0]
	lo, hi := bounds(c.Out[0].DType())
	lo, hi = lo-zero[0], hi-zero[0]
	return a.integers(c, product8{a: 0, b: 3, za: 2, zb: 5}, func(cp *kernel.ConvParams, n, g int, rows []int32) {
		m, o := cp.M/cp.Group, cp.Out[0]*cp.Out[1]*cp.Out[2]
		out := y[(n*cp.M+g*m)*o:]
		c.Pool.For(m, max(1, stretchChunk/max(1, o)), func(from, to int) {
			plane := make([]int32, o)
			for j := from; j < to; j++ {
				b := int32(0)
				if bias != nil {
					b = bias[g*m+j]
				}
				for i := range plane {
					plane[i] = rows[i*m+j] + b
				}
				kernel.Requantize(out[j*o:][:o], plane, sx*sw[min(g*m+j, len(sw)-1)]/sy, zero[0], lo, hi)
			}
		})
	})
}
