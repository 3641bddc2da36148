package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// MatMulInteger is the product of MatMul of two tensors of 8-bit integers, their zero points taken off, in int32, which wraps around. Zero
// points are one, or one for each row of A and column of B, of all matrices or of each.
//
// Source: https://onnx.ai/onnx/operators/onnx__MatMulInteger.html
var MatMulInteger = new(graph.Spec)

func init() {
	define(MatMulInteger, graph.Def[noAttrs]{
		Name: "MatMulInteger", Since: []int{10}, Doc: "https://onnx.ai/onnx/operators/onnx__MatMulInteger.html",
		In: []graph.Formal{{Name: "A", Types: small8, NoGrad: true}, {Name: "B", Types: small8, NoGrad: true},
			{Name: "a_zero_point", Types: small8, Optional: true, NoGrad: true},
			{Name: "b_zero_point", Types: small8, Optional: true, NoGrad: true}},
		Out:   []graph.Formal{{Name: "Y"}},
		Types: outType[noAttrs](tensor.Int32),
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			p, err := matmulPlan(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			for i, z := range []struct{ each, count int }{{p.m, p.na}, {p.n, p.nb}} {
				if c.Has(2 + i) {
					if _, err := perLine(c.Shape(2+i), z.each, z.count); err != nil {
						return fmt.Errorf("zero points of input %d: %w", i, err)
					}
				}
			}
			c.Out(0, p.out...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			p, err := matmulPlan(c.In[0].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			y := tensor.Data[int32](c.Out[0])
			return p.integers(c, product8{a: 0, b: 1, za: 2, zb: 3}, func(i int) []int32 { return y[i*p.m*p.n:][:p.m*p.n] }, nil)
		},
	})
}

// perLine says that numbers of shape s are one for all (0), one for each of n rows or columns (1), or that for each of count matrices (2).
func perLine(s tensor.Shape, n, count int) (int, error) {
	switch s.Len() {
	case 1:
		return 0, nil
	case n:
		return 1, nil
	case n * count:
		return 2, nil
	}
	return 0, fmt.Errorf("shape %v: want 1, %d or %d numbers", s, n, n*count)
}

// lineOf is the part of zs, as perLine says, that belongs to matrix j.
func lineOf[T any](zs []T, n, count, j int) []T {
	if len(zs) > 1 && len(zs) == n*count && count > 1 {
		return zs[j*n:][:n]
	}
	return zs
}

// product8 are the inputs of a product of 8-bit integers: its operands and their zero points.
type product8 struct{ a, b, za, zb int }

// right8 is the form in which products of 8-bit integers read their right operand.
type right8 struct{ zero string }

// integers computes the products of p into out(i), one for each batch index, and calls done, if any, after each.
func (p *matmul) integers(c *graph.RunCtx, in product8, out func(i int) []int32, done func(i int)) error {
	za, err := zerosIn(c, in.za)
	if err != nil {
		return err
	}
	zb, err := zerosIn(c, in.zb)
	if err != nil {
		return err
	}
	pack := func() []*kernel.RightInt8 {
		bs := make([]*kernel.RightInt8, p.nb)
		for j := range bs {
			bs[j] = kernel.NewRightInt8(false, p.n, p.k, kernel.Int8{Data: c.In[in.b].Bytes()[j*p.k*p.n:][:p.k*p.n],
				Signed: c.In[in.b].DType() == tensor.Int8, Ld: p.n, Zero: lineOf(zb, p.n, p.nb, j)})
		}
		return bs
	}
	form := right8{}
	if c.Has(in.zb) {
		form.zero = string(c.In[in.zb].Bytes())
	}
	bs := graph.KeepBytes(c, in.b, form, kernel.RightInt8Bytes(p.n, p.k)*p.nb, pack)
	if bs == nil {
		bs = pack()
	}
	for i := range p.nc {
		if c.Context != nil && c.Context.Err() != nil {
			return c.Context.Err()
		}
		ia, ib := i, 0
		if !p.sharedB {
			ia, ib = p.a[i], p.b[i]
		}
		a := kernel.Int8{Data: c.In[in.a].Bytes()[ia*p.m*p.k:][:p.m*p.k], Signed: c.In[in.a].DType() == tensor.Int8, Ld: p.k,
			Zero: lineOf(za, p.m, p.na, ia)}
		kernel.GemmInt8(c.Pool, p.m, a, bs[ib], out(i), p.n)
		if done != nil {
			done(i)
		}
	}
	return nil
}
