package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// DFT is the discrete Fourier transform along an axis of input [...,1], real numbers, or [...,2], real and imaginary parts:
// y[k] = Σ x[n]·exp(-2πi·kn/N), or with inverse x[n] = 1/N·Σ y[k]·exp(2πi·kn/N), where N is dft_length, by which the input is cut or filled
// up with zeros, or the extent of the axis. With onesided the first N/2+1 numbers of the transform of a real input are all of the output,
// and those of an inverse transform all of the input, whose output is real.
//
// Source: https://onnx.ai/onnx/operators/onnx__DFT.html. Version 17 names the axis by an attribute.
var DFT = new(graph.Spec)

// DFTAdjoint is the gradient of a DFT, to which dY belongs, by its input: inputs dY, the input for its shape, and dft_length and axis as
// DFT.
var DFTAdjoint = new(graph.Spec)

type dftAttrs struct {
	Inverse  bool `onnx:"inverse,default=0"`
	Onesided bool `onnx:"onesided,default=0"`
}

type dft17Attrs struct {
	Axis     int  `onnx:"axis,default=1"`
	Inverse  bool `onnx:"inverse,default=0"`
	Onesided bool `onnx:"onesided,default=0"`
}

func init() {
	doc := "https://onnx.ai/onnx/operators/onnx__DFT.html"
	in := []graph.Formal{{Name: "input", Types: floats}, {Name: "dft_length", Optional: true, NoGrad: true, Types: indexes}}
	out := []graph.Formal{{Name: "output"}}
	define(DFT, graph.Def[dftAttrs]{
		Name: "DFT", Since: []int{20}, Doc: doc, Out: out,
		In: append(slices.Clone(in), graph.Formal{Name: "axis", Optional: true, NoGrad: true, Types: indexes}),
		Infer: func(a *dftAttrs, c *graph.InferCtx) error {
			length, at, err := dftValues(c.Has, c.Value, 1)
			if err != nil {
				return err
			}
			p, err := a.plan(c.Shape(0), length, at)
			if err == nil {
				c.Out(0, p.out...)
			}
			return err
		},
		Run: func(a *dftAttrs, c *graph.RunCtx) error {
			length, at, err := dftValues(c.Has, given(c), 1)
			if err != nil {
				return err
			}
			return a.run(c, length, at)
		},
		Grad: func(a *dftAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(DFTAdjoint, a, dy[0], n.In[0], input(n, 1), input(n, 2))), nil
		},
	})
	define(new(graph.Spec), graph.Def[dft17Attrs]{
		Name: "DFT", Since: []int{17}, Doc: doc, In: in, Out: out,
		Infer: func(a *dft17Attrs, c *graph.InferCtx) error {
			length, _, err := dftValues(c.Has, c.Value, 1)
			if err != nil {
				return err
			}
			p, err := a.dft().plan(c.Shape(0), length, a.Axis)
			if err == nil {
				c.Out(0, p.out...)
			}
			return err
		},
		Run: func(a *dft17Attrs, c *graph.RunCtx) error {
			length, _, err := dftValues(c.Has, given(c), 1)
			if err != nil {
				return err
			}
			return a.dft().run(c, length, a.Axis)
		},
		Grad: func(a *dft17Attrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			at := b.Const(tensor.Scalar(int64(a.Axis)))
			return only(n, 0, b.Add(DFTAdjoint, a.dft(), dy[0], n.In[0], input(n, 1), at)), nil
		},
	})
	define(DFTAdjoint, graph.Def[dftAttrs]{
		Domain: Private, Name: "DFTAdjoint", Since: []int{1}, Doc: doc,
		In: []graph.Formal{{Name: "dY", Types: floats}, {Name: "like", NoGrad: true}, in[1],
			{Name: "axis", Optional: true, NoGrad: true, Types: indexes}},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *dftAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *dftAttrs, c *graph.RunCtx) error {
			length, at, err := dftValues(c.Has, given(c), 2)
			if err != nil {
				return err
			}
			p, err := a.plan(c.In[1].Shape(), length, at)
			if err != nil {
				return err
			}
			if !c.In[0].Shape().Equal(p.out) {
				return fmt.Errorf("dY has shape %v, the output has %v", c.In[0].Shape(), p.out)
			}
			return p.lines(c, true)
		},
		Grad: func(a *dftAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(DFT, a, dy[0], input(n, 2), input(n, 3))), nil
		},
		Lower: lowerDFTAdjoint,
	})
	followRules["DFT"] = (*follower).refuse
}

func (a *dft17Attrs) dft() *dftAttrs { return &dftAttrs{Inverse: a.Inverse, Onesided: a.Onesided} }

// given has the contents of the inputs of a run.
func given(c *graph.RunCtx) func(int) (*tensor.Tensor, error) {
	return func(i int) (*tensor.Tensor, error) { return c.In[i], nil }
}

// dftValues are dft_length, input i, 0 where it is absent, and the axis, input i+1, by default the last of the signal.
func dftValues(has func(int) bool, value func(int) (*tensor.Tensor, error), i int) (length, at int, err error) {
	at = -2
	for k, name := range []string{"dft_length", "axis"} {
		if !has(i + k) {
			continue
		}
		t, err := value(i + k)
		if err != nil {
			return 0, 0, err
		}
		if k == 0 {
			if length, err = count(name, t); err == nil && length == 0 {
				err = fmt.Errorf("dft_length is 0, want at least 1")
			}
		} else if t.Len() != 1 {
			err = fmt.Errorf("axis has %d elements, want one", t.Len())
		} else {
			at = int(t.Float64s()[0])
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return length, at, nil
}

// dftPlan is how a DFT goes through an input of a shape.
type dftPlan struct {
	*dftAttrs
	n            int // length of the transform
	in, out      tensor.Shape
	axis         int
	outer, inner int // lines before the axis, and after it without the parts of numbers
}

func (a *dftAttrs) plan(s tensor.Shape, length, at int) (*dftPlan, error) {
	r := len(s)
	if r < 2 || s[r-1] != 1 && s[r-1] != 2 {
		return nil, fmt.Errorf("input has shape %v, want [...,1] for real numbers or [...,2] for complex ones", s)
	}
	k, err := axis(at, r)
	if err != nil {
		return nil, err
	}
	if k == r-1 {
		return nil, fmt.Errorf("axis %d is that of the real and imaginary parts", at)
	}
	if parts := 1; a.Onesided {
		if a.Inverse {
			parts = 2
		}
		if s[r-1] != parts {
			return nil, fmt.Errorf("input has shape %v; with onesided=1 and inverse=%v want [...,%d]", s, a.Inverse, parts)
		}
	}
	p := &dftPlan{dftAttrs: a, n: length, in: s, axis: k, outer: product(s[:k]), inner: product(s[k+1 : r-1])}
	if p.n == 0 {
		if p.n = s[k]; a.Onesided && a.Inverse {
			p.n = 2 * (s[k] - 1)
		}
		if p.n < 1 {
			return nil, fmt.Errorf("input has shape %v, too little along axis %d to transform", s, at)
		}
	}
	p.out = slices.Clone(s)
	p.out[k], p.out[r-1] = p.n, 2
	switch {
	case a.Onesided && a.Inverse:
		p.out[r-1] = 1
	case a.Onesided:
		p.out[k] = p.n/2 + 1
	}
	return p, nil
}

func (a *dftAttrs) run(c *graph.RunCtx, length, at int) error {
	p, err := a.plan(c.In[0].Shape(), length, at)
	if err != nil {
		return err
	}
	return p.lines(c, false)
}

// lines transforms each line of In[0] along the axis, in the shape of the plan's input or for the adjoint of its output, to that of Out[0].
func (p *dftPlan) lines(c *graph.RunCtx, adjoint bool) error {
	if c.Out[0].Len() == 0 {
		return nil
	}
	if err := c.Budget(16 * 8 * p.n); err != nil {
		return err
	}
	fft, ok := (*c.Cache).(*kernel.FFT)
	if !ok || fft.Len() != p.n { // dft_length may differ from run to run
		fft = kernel.NewFFT(p.n)
		*c.Cache = fft
	}
	src, dst := c.In[0].Shape(), c.Out[0].Shape()
	d := kernel.DFT{FFT: fft, Inverse: p.Inverse, Onesided: p.Onesided, Adjoint: adjoint, Outer: p.outer, Inner: p.inner,
		In: src[p.axis], InParts: src[len(src)-1], Out: dst[p.axis], OutParts: dst[len(dst)-1]}
	if c.In[0].DType() == tensor.Float64 {
		kernel.DFTLines(c.Pool, &d, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]))
	} else {
		kernel.DFTLines(c.Pool, &d, c.Out[0].F32(), c.In[0].F32())
	}
	return nil
}

// lowerDFTAdjoint is conj(DFT(conj(dY))), whose sums run over the conjugate roots, or for a real result the onesided DFT with the numbers
// that stand for two doubled; cut or filled up to the shape of the input.
func lowerDFTAdjoint(a *dftAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	dy, like, length, at, k := n.In[0], n.In[1], input(n, 2), input(n, 3), -2
	if at != 0 {
		t := b.G.Info(at).Data
		if t == nil || t.Len() != 1 {
			return nil, fmt.Errorf("its axis is known only at run time: %w", graph.ErrNoGradient)
		}
		k = int(t.Float64s()[0])
	}
	d, half := b.DType(dy), a.Onesided && a.Inverse
	extent := func(v graph.Value, k int) graph.Value { return b.Add(Gather, nil, b.Add(Shape, nil, v), b.Ints(k)) } // [1]
	if length != 0 {
		length = b.Add(Reshape, nil, b.Add(Cast, CastTo(tensor.Int64), length), b.Ints(1))
	} else if length = extent(like, k); half {
		length = mul(b, sub(b, length, b.Ints(1)), b.Ints(2))
	}
	scalar := b.Add(Reshape, nil, length, b.Ints())
	var x graph.Value
	if half {
		x = b.Add(DFT, &dftAttrs{Onesided: true}, dy, scalar, at)
		one := b.Add(Expand, nil, b.Scalar(d, 1), b.Add(Shape, nil, x))
		place := b.Add(CumSum, &cumSumAttrs{Exclusive: true}, one, b.Const(tensor.Scalar(int64(k))))
		total := b.Add(Cast, CastTo(d), length)
		two := b.Add(And, nil, b.Add(Greater, nil, place, b.Scalar(d, 0)), b.Add(Less, nil, scale(b, place, 2), total))
		x = mul(b, x, div(b, b.Add(Where, nil, two, b.Scalar(d, 2), b.Scalar(d, 1)), total))
	} else {
		conj := b.Add(Cast, CastTo(d), b.Ints(1, -1))
		x = mul(b, b.Add(DFT, &dftAttrs{Inverse: a.Inverse}, mul(b, dy, conj), scalar, at), conj)
	}
	more := func(k int) graph.Value { return sub(b, extent(like, k), extent(x, k)) }
	pads := b.Add(Concat, &concatAttrs{Axis: 0}, b.Ints(0, 0), more(k), more(-1))
	return []graph.Value{b.Add(Pad, nil, x, pads, 0, b.Ints(k, -1))}, nil
}
