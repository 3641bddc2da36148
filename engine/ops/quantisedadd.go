package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// QuantisedAdd is C = A + B of quantised A and B, with broadcasting, quantised, as ONNX Runtime computes it: the zero point of C is added
// before the rounding, C = saturate(round(A·ra + k + B·rb)), where ra = a_scale/c_scale, rb = b_scale/c_scale and
// k = c_zero_point − ra·a_zero_point − rb·b_zero_point, in float32. Inputs are numbers, scale and zero point of A and of B, and scale and
// zero point of C.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/qladd.cpp
var QuantisedAdd = new(graph.Spec)

// quantised2 are the formals of an operator of two quantised tensors.
func quantised2() []graph.Formal {
	var in []graph.Formal
	for _, name := range []string{"a", "b", "c"} {
		if name != "c" {
			in = append(in, graph.Formal{Name: name, Types: small8, NoGrad: true})
		}
		in = append(in, graph.Formal{Name: name + "_scale", Types: []tensor.DType{tensor.Float32}, NoGrad: true},
			graph.Formal{Name: name + "_zero_point", Types: small8, NoGrad: true, Optional: true})
	}
	return in
}

// defineQuantised2 defines an operator of two quantised tensors. of makes the function of two numbers as they are stored, with the zero
// point of the result added, from the scales and zero points of A, B and C; lower is the same in ONNX's operators.
// fast, if any, does what it can by a kernel and reports whether it did.
func defineQuantised2(s *graph.Spec, name string, of func(scale, zero [3]float32) func(a, b float32) float32,
	fast func(c *graph.RunCtx, scale, zero [3]float32) bool, lower func(b *graph.Builder, n *graph.Node) graph.Value) {
	define(s, graph.Def[noAttrs]{
		Domain: Private, Name: name, Since: []int{1}, Doc: "quantised numbers, in ONNX Runtime's arithmetic",
		In: quantised2(), Out: []graph.Formal{{Name: "C"}}, Types: typeOf[noAttrs](0),
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			for i := range c.In {
				if i%3 != 0 && i < 6 || i >= 6 {
					if c.Has(i) && c.Shape(i).Len() != 1 {
						return fmt.Errorf("input %s has shape %v, want a scalar", c.Node.Op.In[i].Name, c.Shape(i))
					}
				}
			}
			if c.DType(0) != c.DType(3) {
				return fmt.Errorf("numbers of types %v and %v", c.DType(0), c.DType(3))
			}
			out, err := broadcast(c.Shape(0), c.Shape(3))
			if err != nil {
				return err
			}
			c.Out(0, out...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			var scale, zero [3]float32
			for i, at := range []int{1, 4, 6} {
				scale[i] = c.In[at].F32()[0]
				z, err := zerosIn(c, at+1)
				if err != nil {
					return err
				}
				zero[i] = float32(zeroAt(z, 0))
			}
			if fast != nil && fast(c, scale, zero) {
				return nil
			}
			f := of(scale, zero)
			if c.Out[0].DType() == tensor.Int8 {
				runQuantised2[int8](c, f)
			} else {
				runQuantised2[uint8](c, f)
			}
			return nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			y := lower(b, n)
			zero := b.Const(tensor.New(b.DType(n.In[0])))
			return []graph.Value{b.Add(QuantizeLinear, nil, y, b.Scalar(tensor.Float32, 1), zero)}, nil
		},
	})
}

func init() {
	defineQuantised2(QuantisedAdd, "QuantisedAdd", func(s, z [3]float32) func(a, b float32) float32 {
		ra, rb := s[0]/s[2], s[1]/s[2]
		k := z[2] - float32(float32(ra*z[0])+float32(rb*z[1]))
		return func(a, b float32) float32 { return float32(float32(a*ra)+k) + float32(b*rb) }
	}, addBytes, func(b *graph.Builder, n *graph.Node) graph.Value {
		ra, rb := div(b, n.In[1], input(n, 6)), div(b, n.In[4], input(n, 6))
		k := sub(b, asNumber(b, input(n, 7)), add(b, mul(b, ra, asNumber(b, input(n, 2))), mul(b, rb, asNumber(b, input(n, 5)))))
		return add(b, add(b, mul(b, asNumber(b, n.In[0]), ra), k), mul(b, asNumber(b, n.In[3]), rb))
	})
}

// asNumber is a quantised x as the whole numbers that it is stored as, in float32; a zero point that is absent is 0.
func asNumber(b *graph.Builder, x graph.Value) graph.Value {
	if x == 0 {
		return b.Scalar(tensor.Float32, 0)
	}
	return b.Add(Cast, CastTo(tensor.Float32), x)
}

func runQuantised2[T int8 | uint8](c *graph.RunCtx, f func(a, b float32) float32) {
	x, y, out := tensor.Data[T](c.In[0]), tensor.Data[T](c.In[3]), tensor.Data[T](c.Out[0])
	l, h := bounds(c.Out[0].DType())
	lo, hi := float32(l), float32(h)
	sx, sy, so := c.In[0].Shape(), c.In[3].Shape(), c.Out[0].Shape()
	var ix, iy []int // nil where the elements correspond
	if !sx.Equal(so) && len(x) > 1 {
		ix = batchIndex(sx, so)
	}
	if !sy.Equal(so) && len(y) > 1 {
		iy = batchIndex(sy, so)
	}
	at := func(v []T, index []int, i int) float32 {
		switch {
		case len(v) == 1:
			return float32(v[0])
		case index != nil:
			return float32(v[index[i]])
		}
		return float32(v[i])
	}
	c.Pool.For(len(out), stretchChunk, func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = T(int32(roundHalf(min(max(f(at(x, ix, i), at(y, iy, i)), lo), hi))))
		}
	})
}

// roundHalf is x, of less than 2²² in absolute value, rounded to a whole number, ties to even.
func roundHalf(x float32) float32 {
	const magic = 3 << 22
	return float32(x+magic) - magic
}

// addBytes is QuantisedAdd of operands of one shape.
func addBytes(c *graph.RunCtx, s, z [3]float32) bool {
	x, y, out := c.In[0], c.In[3], c.Out[0]
	if !x.Shape().Equal(out.Shape()) || !y.Shape().Equal(out.Shape()) {
		return false
	}
	ra, rb := s[0]/s[2], s[1]/s[2]
	k := z[2] - float32(float32(ra*z[0])+float32(rb*z[1]))
	c.Pool.For(out.Len(), 1<<15, func(lo, hi int) {
		kernel.AddBytes(out.Bytes()[lo:hi], x.Bytes()[lo:], y.Bytes()[lo:], out.DType() == tensor.Int8, ra, rb, k)
	})
	return true
}
