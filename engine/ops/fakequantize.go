package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// FakeQuantize is DequantizeLinear of QuantizeLinear: x rounded to what its quantised form can hold. The attribute to is the type of that
// form. Inputs as those of QuantizeLinear.
//
// Rounding counts as the identity in the gradient, the straight-through estimator: dx is dY where x, rounded, is in the range of the
// quantised numbers, else 0. The gradient by the scale is that of learned step sizes: the sum over its elements of dY·(y − x)/scale inside
// of the range, dY·y/scale outside.
//
// Source: https://arxiv.org/abs/1308.3432, section 4 (straight-through estimator); https://arxiv.org/abs/1902.08153, section 2.1 (step
// size), without the scaling of that gradient.
var FakeQuantize = new(graph.Spec)

// FakeQuantizeGrad is dX = dY where x, quantised, is in the range of the quantised numbers, else 0: inputs x, the scale, the zero point or
// none, and dY.
var FakeQuantizeGrad = new(graph.Spec)

type fakeQuantizeAttrs struct {
	Axis     int          `onnx:"axis,default=1"`
	Block    int          `onnx:"block_size,default=0"`
	Saturate bool         `onnx:"saturate,default=1"`
	To       tensor.DType `onnx:"to,required"`
}

func (a *fakeQuantizeAttrs) quantize() *quantizeAttrs {
	return &quantizeAttrs{Axis: a.Axis, Block: a.Block, Output: int(a.To), Saturate: a.Saturate}
}

func init() {
	in := []graph.Formal{{Name: "x", Types: []tensor.DType{tensor.Float32}}, {Name: "scale", Types: []tensor.DType{tensor.Float32}},
		{Name: "zero_point", Types: smallTypes, Optional: true, NoGrad: true}}
	define(FakeQuantize, graph.Def[fakeQuantizeAttrs]{
		Domain: Private, Name: "FakeQuantize", Since: []int{1}, Doc: "QuantizeLinear and DequantizeLinear, with a gradient",
		In: in, Out: []graph.Formal{{Name: "y"}},
		Infer: func(a *fakeQuantizeAttrs, c *graph.InferCtx) error { return inferQuantised(c, a.Axis, a.Block) },
		Run: func(a *fakeQuantizeAttrs, c *graph.RunCtx) error {
			q, err := tensor.Make("quantised numbers", a.To, c.In[0].Shape()...)
			if err == nil {
				err = a.quantize().quantize(c, q)
			}
			if err != nil {
				return err
			}
			return (&dequantizeAttrs{Axis: a.Axis, Block: a.Block}).dequantize(c, q, c.Out[0].F32())
		},
		Grad: func(a *fakeQuantizeAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			zero := graph.Value(0)
			if n.NumIn > 2 {
				zero = n.In[2]
			}
			dx := make([]graph.Value, n.NumIn)
			dx[0] = b.Add(FakeQuantizeGrad, a, n.In[0], n.In[1], zero, dy[0])
			if need[1] { // (dY·y − dX·x)/s: inside of the range dX is dY, outside 0
				s := &scaleAttrs{a.Axis, a.Block}
				d := div(b, sub(b, mul(b, dy[0], n.Out[0]), mul(b, dx[0], n.In[0])), b.Add(ScaleLike, s, n.In[1], n.In[0]))
				dx[1] = b.Add(ScaleSum, s, d, n.In[1])
			}
			return dx, nil
		},
		Lower: func(a *fakeQuantizeAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			q := a.quantize()
			if n.NumIn > 2 && n.In[2] != 0 {
				q.Output = 0
			} else if a.To == tensor.Uint8 {
				q.Output = 0 // what it is without one
			}
			y := b.Add(QuantizeLinear, q, n.In[:n.NumIn]...)
			back := append([]graph.Value{y}, n.In[1:n.NumIn]...)
			return []graph.Value{b.Add(DequantizeLinear, &dequantizeAttrs{Axis: a.Axis, Block: a.Block}, back...)}, nil
		},
	})
	define(FakeQuantizeGrad, graph.Def[fakeQuantizeAttrs]{
		Domain: Private, Name: "FakeQuantizeGrad", Since: []int{1}, Doc: "straight-through gradient of FakeQuantize",
		In: append([]graph.Formal{{Name: "x", Types: []tensor.DType{tensor.Float32}, NoGrad: true},
			{Name: "scale", Types: []tensor.DType{tensor.Float32}, NoGrad: true}, in[2]},
			graph.Formal{Name: "dY", Types: []tensor.DType{tensor.Float32}}),
		Out:   []graph.Formal{{Name: "dX"}},
		Infer: func(a *fakeQuantizeAttrs, c *graph.InferCtx) error { return inferQuantised(c, a.Axis, a.Block) },
		Run:   runFakeQuantizeGrad,
		// It is linear in dY.
		Grad: func(a *fakeQuantizeAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 3, b.Add(FakeQuantizeGrad, a, n.In[0], n.In[1], n.In[2], dy[0])), nil
		},
		Lower: func(a *fakeQuantizeAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			s := &scaleAttrs{a.Axis, a.Block}
			q := div(b, n.In[0], b.Add(ScaleLike, s, n.In[1], n.In[0]))
			if !a.To.IsFloat() {
				q = b.Add(Round, nil, q)
			}
			if n.In[2] != 0 {
				q = add(b, q, b.Add(ScaleLike, s, b.Add(Cast, CastTo(tensor.Float32), n.In[2]), n.In[0]))
			}
			lo, hi := a.limits()
			in := b.Add(And, nil, b.Add(GreaterOrEqual, nil, q, b.Scalar(tensor.Float32, lo)), b.Add(LessOrEqual, nil, q,
				b.Scalar(tensor.Float32, hi)))
			return []graph.Value{b.Add(Where, nil, in, n.In[3], b.Scalar(tensor.Float32, 0))}, nil
		},
	})
}

// limits are the ends of the range of the quantised numbers.
func (a *fakeQuantizeAttrs) limits() (lo, hi float64) {
	if a.To.IsFloat() {
		return -largest(a.To), largest(a.To)
	}
	l, h := bounds(a.To)
	return float64(l), float64(h)
}

func runFakeQuantizeGrad(a *fakeQuantizeAttrs, c *graph.RunCtx) error {
	g, err := grainOf(c.In[0].Shape(), c.In[1].Shape(), a.Axis, a.Block)
	if err != nil {
		return err
	}
	var zero []float32
	if c.Has(2) {
		if zero, err = scalesIn(c, 2); err != nil {
			return err
		}
	}
	x, s, dy, dx := c.In[0].F32(), c.In[1].F32(), c.In[3].F32(), c.Out[0].F32()
	lo, hi := a.limits()
	half := float32(0.5) // what rounds to the ends is inside
	if a.To.IsFloat() {
		half = 0
	}
	g.each(c.Pool, func(from, to, k int) {
		z := float32(0)
		if zero != nil {
			z = zero[k]
		}
		// Ties go to the even one: half a step beyond an end that is odd is outside.
		l, h := float32(lo)-z, float32(hi)-z
		evenLo, evenHi := int64(l)%2 == 0, int64(h)%2 == 0
		for i := from; i < to; i++ {
			q := x[i] / s[k]
			if q > l-half && q < h+half || q == l-half && (evenLo || half == 0) || q == h+half && (evenHi || half == 0) {
				dx[i] = dy[i]
			} else {
				dx[i] = 0
			}
		}
	})
	return nil
}
