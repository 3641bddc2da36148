package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// QLinearMatMul is the product of MatMul of two quantised tensors, quantised with y_scale and y_zero_point:
// y = saturate(round(Σ(a − za)(b − zb) · (a_scale·b_scale / y_scale)) + zy), with scales and zero points for all, for each row of a or
// column of b. Sums of integers are exact in int32; those of small floats are taken in float32. The bias [n], which is not ONNX's, is
// quantised with a_scale·b_scale.
//
// Source: https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html
var QLinearMatMul = new(graph.Spec)

func init() {
	types := append([]tensor.DType{tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ}, small8...)
	of := func(name string) graph.Formal { return graph.Formal{Name: name, Types: types, NoGrad: true} }
	scale := func(name string) graph.Formal {
		return graph.Formal{Name: name, Types: []tensor.DType{tensor.Float32}, NoGrad: true}
	}
	define(QLinearMatMul, graph.Def[noAttrs]{
		Name: "QLinearMatMul", Since: []int{10, 21}, Doc: "https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html",
		In: []graph.Formal{of("a"), scale("a_scale"), of("a_zero_point"), of("b"), scale("b_scale"), of("b_zero_point"), scale("y_scale"),
			of("y_zero_point"), {Name: "bias", Types: []tensor.DType{tensor.Int32}, Optional: true, NoGrad: true, Private: true}},
		Out: []graph.Formal{{Name: "y"}},
		Types: func(_ *noAttrs, in, out []tensor.DType) error {
			for _, p := range [][2]int{{0, 2}, {3, 5}} {
				if in[p[0]] != in[p[1]] {
					return fmt.Errorf("zero points of type %v for numbers of type %v", in[p[1]], in[p[0]])
				}
			}
			if in[0].IsFloat() != in[3].IsFloat() || in[0].IsFloat() != in[7].IsFloat() {
				return fmt.Errorf("factors of types %v and %v for a product of type %v", in[0], in[3], in[7])
			}
			out[0] = in[7]
			return nil
		},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			p, err := matmulPlan(c.Shape(0), c.Shape(3))
			if err != nil {
				return err
			}
			for _, in := range []int{1, 2, 4, 5} {
				each, count := p.m, p.na
				if in > 3 {
					each, count = p.n, p.nb
				}
				if _, err := perLine(c.Shape(in), each, count); err != nil {
					return fmt.Errorf("input %s: %w", c.Node.Op.In[in].Name, err)
				}
			}
			if c.Shape(6).Len() != 1 || c.Shape(7).Len() != 1 {
				return fmt.Errorf("y_scale of shape %v and y_zero_point of shape %v: want scalars", c.Shape(6), c.Shape(7))
			}
			if c.Has(8) && !c.Shape(8).Equal(tensor.Shape{p.n}) {
				return fmt.Errorf("bias of shape %v, want [%d]", c.Shape(8), p.n)
			}
			c.Out(0, p.out...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			p, err := matmulPlan(c.In[0].Shape(), c.In[3].Shape())
			if err != nil {
				return err
			}
			switch c.Out[0].DType() {
			case tensor.Int8:
				return qlinearMatMul(c, p, tensor.Data[int8](c.Out[0]))
			case tensor.Uint8:
				return qlinearMatMul(c, p, tensor.Data[uint8](c.Out[0]))
			}
			return floatMatMul8(c, p)
		},
	})
}

func qlinearMatMul[T int8 | uint8](c *graph.RunCtx, p *matmul, y []T) error {
	zero, err := zerosIn(c, 7)
	if err != nil {
		return err
	}
	sa, sb, sy := c.In[1].F32(), c.In[4].F32(), c.In[6].F32()[0]
	t, err := tensor.Make("a product of quantised numbers", tensor.Int32, p.m, p.n)
	if err != nil {
		return err
	}
	sums := tensor.Data[int32](t)
	var bias []int32
	if c.Has(8) {
		bias = tensor.Data[int32](c.In[8])
	}
	lo, hi := bounds(c.Out[0].DType())
	lo, hi = lo-zero[0], hi-zero[0]
	return p.integers(c, product8{a: 0, b: 3, za: 2, zb: 5}, func(int) []int32 { return sums }, func(i int) {
		ra, rb := p.lines(sa, sb, i)
		out := y[i*p.m*p.n:][:p.m*p.n]
		c.Pool.For(p.m, max(1, stretchChunk/max(1, p.n)), func(from, to int) {
			for r := from; r < to; r++ {
				row, acc, s := out[r*p.n:][:p.n], sums[r*p.n:][:p.n], ra[min(r, len(ra)-1)]
				for j, v := range bias {
					acc[j] += v
				}
				if len(rb) == 1 {
					kernel.Requantize(row, acc, s*rb[0]/sy, zero[0], lo, hi)
					continue
				}
				for j := range row {
					kernel.Requantize(row[j:j+1], acc[j:j+1], s*rb[j]/sy, zero[0], lo, hi)
				}
			}
		})
	})
}

// lines are the scales of the factors of batch index i.
func (p *matmul) lines(sa, sb []float32, i int) (ra, rb []float32) {
	ia, ib := i, 0
	if !p.sharedB {
		ia, ib = p.a[i], p.b[i]
	}
	return lineOf(sa, p.m, p.na, ia), lineOf(sb, p.n, p.nb, ib)
}

// floatMatMul8 is QLinearMatMul of floats of 8 bits.
func floatMatMul8(c *graph.RunCtx, p *matmul) error {
	var f [8]*tensor.Tensor
	for i, t := range c.In {
		x, err := t.Convert(tensor.Float32)
		if err != nil {
			return err
		}
		f[i] = x
	}
	y, err := tensor.Make("a product of quantised numbers", tensor.Float32, c.Out[0].Shape()...)
	if err != nil {
		return err
	}
	a, b, out := f[0].F32(), f[3].F32(), y.F32()
	for i := range a {
		z := lineOf(f[2].F32(), p.m, p.na, i/(p.m*p.k))
		a[i] -= z[min(i/p.k%p.m, len(z)-1)]
	}
	for i := range b {
		z := lineOf(f[5].F32(), p.n, p.nb, i/(p.n*p.k))
		b[i] -= z[min(i%p.n, len(z)-1)]
	}
	matmulForward(p, kernel.Sgemm, c, a, b, out)
	for i := range out {
		ra, rb := p.lines(f[1].F32(), f[4].F32(), i/(p.m*p.n))
		s := ra[min(i/p.n%p.m, len(ra)-1)] * rb[min(i%p.n, len(rb)-1)] / f[6].F32()[0]
		out[i] = out[i]*s + f[7].F32()[0]
	}
	return copyAs(c.Out[0], y, tensor.CastOptions{})
}
