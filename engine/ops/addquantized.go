package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// AddQuantized is Add of quantised A and B, quantised: round((A − za)·(sa/sy) + (B − zb)·(sb/sy)) + zy, saturated. Scales and zero points are
// single numbers; shapes broadcast.
var AddQuantized = new(graph.Spec)

func init() {
	of := func(name string) graph.Formal { return graph.Formal{Name: name, Types: small8, NoGrad: true} }
	scale := func(name string) graph.Formal {
		return graph.Formal{Name: name, Types: []tensor.DType{tensor.Float32}, NoGrad: true}
	}
	define(AddQuantized, graph.Def[noAttrs]{
		Domain: Private, Name: "AddQuantized", Since: []int{1}, Doc: "Add of quantised numbers",
		In:  []graph.Formal{of("A"), scale("sa"), of("za"), of("B"), scale("sb"), of("zb"), scale("sy"), of("zy")},
		Out: []graph.Formal{{Name: "C"}}, Types: typeOf[noAttrs](7),
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s, err := broadcast(c.Shape(0), c.Shape(3))
			if err != nil {
				return err
			}
			for _, i := range []int{1, 2, 4, 5, 6, 7} {
				if c.Shape(i).Len() != 1 {
					return fmt.Errorf("input %s of shape %v, want a scalar", c.Node.Op.In[i].Name, c.Shape(i))
				}
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			a, b, y := c.In[0], c.In[3], c.Out[0]
			qa, qb, qy := bytesAt(c, 0), bytesAt(c, 3), kernel.Bytes{Scale: c.In[6].F32()[0], Signed: y.DType() == tensor.Int8}
			qy.Zero = zeroOf(c.In[7])
			for _, in := range []**tensor.Tensor{&a, &b} {
				if (*in).Shape().Equal(y.Shape()) {
					continue
				}
				wide, err := tensor.Make("a broadcast operand", (*in).DType(), y.Shape()...)
				if err != nil {
					return err
				}
				spread(c, wide, *in)
				*in = wide
			}
			lo, hi := bounds(y.DType())
			l, h := float32(lo-qy.Zero), float32(hi-qy.Zero)
			c.Pool.For(y.Len(), 1<<15, func(from, to int) {
				kernel.AddBytes(y.Bytes()[from:to], a.Bytes()[from:], qa, b.Bytes()[from:], qb, qy, l, h)
			})
			return nil
		},
	})
}

// bytesAt says how the numbers of input i, whose scale and zero point come after it, stand for real ones.
func bytesAt(c *graph.RunCtx, i int) kernel.Bytes {
	return kernel.Bytes{Scale: c.In[i+1].F32()[0], Zero: zeroOf(c.In[i+2]), Signed: c.In[i].DType() == tensor.Int8}
}

// zeroOf is the zero point in t, one number of 8 bits.
func zeroOf(t *tensor.Tensor) int32 {
	if t.DType() == tensor.Int8 {
		return int32(tensor.Data[int8](t)[0])
	}
	return int32(tensor.Data[uint8](t)[0])
}

// spread broadcasts x to the shape of y.
func spread(c *graph.RunCtx, y, x *tensor.Tensor) {
	s := y.Shape()
	st := make([]int, len(s))
	own := strides(x.Shape())
	for i := range own {
		if x.Dim(i) > 1 {
			st[i+len(s)-len(own)] = own[i]
		}
	}
	copyStrided(c.Pool, y, x, walk{ext: s, ds: strides(s), ss: st})
}
