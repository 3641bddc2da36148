package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Pad adds pads[i] elements before and pads[r+i] after axis i: a constant, the mirrored input without its edge (reflect), its edge (edge),
// or its other end (wrap). Negative pads cut off.
//
// Source: https://onnx.ai/onnx/operators/onnx__Pad.html
var Pad = new(graph.Spec)

var pad11, pad2, pad1 = new(graph.Spec), new(graph.Spec), new(graph.Spec)

// PadGrad is the gradient of Pad in the modes other than constant: dY, of the padded shape, added up in the shape of like.
// Inputs dY, like, pads, axes.
var PadGrad = new(graph.Spec)

type padAttrs struct {
	Mode string `onnx:"mode,default=constant"`
}

type pad2Attrs struct {
	Mode  string  `onnx:"mode,default=constant"`
	Pads  []int   `onnx:"pads,required"`
	Value float32 `onnx:"value,default=0"`
}

type pad1Attrs struct {
	Mode  string  `onnx:"mode,default=constant"`
	Pads  []int   `onnx:"paddings,required"`
	Value float32 `onnx:"value,default=0"`
}

func init() {
	const doc = "https://onnx.ai/onnx/operators/onnx__Pad.html"
	in := []graph.Formal{
		{Name: "data"}, {Name: "pads", NoGrad: true, Types: int64s}, {Name: "constant_value", Optional: true},
		{Name: "axes", Optional: true, NoGrad: true, Types: indexes},
	}
	out := []graph.Formal{{Name: "output"}}
	def := graph.Def[padAttrs]{
		Name: "Pad", Role: graph.Move, Since: []int{18, 19, 21, 23, 24, 25}, Doc: doc, In: in, Out: out,
		Check: func(a *padAttrs, _ *graph.Node) error { return checkPadMode(a.Mode) },
		Infer: func(a *padAttrs, c *graph.InferCtx) error {
			p, err := paddingOf(planInts(c), 1, 3, c.Shape(0), a.Mode)
			if err != nil {
				return err
			}
			c.Out(0, p.out...)
			return nil
		},
		Run: func(a *padAttrs, c *graph.RunCtx) error {
			p, err := paddingOf(runInts(c), 1, 3, c.In[0].Shape(), a.Mode)
			if err != nil {
				return err
			}
			var v *tensor.Tensor
			if c.Has(2) {
				if v = c.In[2]; v.Len() != 1 || v.DType() != c.In[0].DType() {
					return fmt.Errorf("constant_value is %v, want one %v", v, c.In[0].DType())
				}
			}
			p.run(c, a.Mode, v)
			return nil
		},
		Grad: func(a *padAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			var axes []graph.Value
			if n.NumIn > 3 && n.In[3] != 0 {
				axes = []graph.Value{n.In[3]}
			}
			dx := make([]graph.Value, n.NumIn)
			dx[0] = gradPad(a.Mode, b, dy[0], n.In[0], n.In[1], axes)
			if len(need) > 2 && need[2] && a.Mode == "constant" {
				v := n.In[2]
				dx[2] = sub(b, sumLike(b, dy[0], v), sumLike(b, dx[0], v))
			}
			return dx, nil
		},
	}
	define(Pad, def)
	def.Since, def.In = []int{11, 13}, in[:3]
	define(pad11, def)
	define(pad2, graph.Def[pad2Attrs]{
		Name: "Pad", Role: graph.Move, Since: []int{2}, Doc: doc, In: in[:1], Out: out,
		Check: func(a *pad2Attrs, _ *graph.Node) error { return checkPadMode(a.Mode) },
		Infer: func(a *pad2Attrs, c *graph.InferCtx) error {
			p, err := newPadding(c.Shape(0), a.Pads, nil, a.Mode)
			if err != nil {
				return err
			}
			c.Out(0, p.out...)
			return nil
		},
		Run: func(a *pad2Attrs, c *graph.RunCtx) error {
			p, err := newPadding(c.In[0].Shape(), a.Pads, nil, a.Mode)
			if err != nil {
				return err
			}
			v, err := tensor.Scalar(a.Value).Convert(c.In[0].DType())
			if err != nil {
				return err
			}
			p.run(c, a.Mode, v)
			return nil
		},
		Grad: func(a *pad2Attrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{gradPad(a.Mode, b, dy[0], n.In[0], b.Ints(a.Pads...), nil)}, nil
		},
	})
	// Version 1 differs in the name of an attribute.
	define(pad1, graph.Def[pad1Attrs]{
		Name: "Pad", Role: graph.Move, Since: []int{1}, Doc: doc, In: in[:1], Out: out,
		Check: func(a *pad1Attrs, _ *graph.Node) error { return checkPadMode(a.Mode) },
		Infer: func(a *pad1Attrs, c *graph.InferCtx) error { return pad2.Infer((*pad2Attrs)(a), c) },
		Run:   func(a *pad1Attrs, c *graph.RunCtx) error { return pad2.Run((*pad2Attrs)(a), c) },
		Grad: func(a *pad1Attrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{gradPad(a.Mode, b, dy[0], n.In[0], b.Ints(a.Pads...), nil)}, nil
		},
	})
	define(PadGrad, graph.Def[padAttrs]{
		Domain: Private, Name: "PadGrad", Since: []int{1}, Doc: "gradient of Pad",
		In: []graph.Formal{
			{Name: "dY", Types: floats}, {Name: "like", NoGrad: true, Shape: true}, {Name: "pads", NoGrad: true, Types: int64s},
			{Name: "axes", Optional: true, NoGrad: true, Types: indexes},
		},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(_ *padAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *padAttrs, c *graph.RunCtx) error {
			p, err := paddingOf(runInts(c), 2, 3, c.In[1].Shape(), a.Mode)
			if err != nil {
				return err
			}
			if !p.out.Equal(c.In[0].Shape()) {
				return fmt.Errorf("dY has shape %v, the padded input %v", c.In[0].Shape(), p.out)
			}
			addMapped(c, c.Out[0], c.In[0], p.maps(a.Mode))
			return nil
		},
		Grad: func(a *padAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			in := []graph.Value{dy[0], n.In[2]}
			if n.NumIn > 3 && n.In[3] != 0 {
				in = append(in, 0, n.In[3])
			}
			return only(n, 0, b.Add(Pad, a, in...)), nil
		},
		Lower: func(a *padAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{addBack(b, n.In[0], n.In[1], func(index graph.Value) graph.Value {
				in := []graph.Value{index, n.In[2]}
				if n.NumIn > 3 && n.In[3] != 0 {
					in = append(in, 0, n.In[3])
				}
				return b.Add(Pad, a, in...)
			})}, nil
		},
	})
}

// gradPad is the gradient by like. A constant pad is undone by padding with the negative.
func gradPad(mode string, b *graph.Builder, dy, like, pads graph.Value, axes []graph.Value) graph.Value {
	if mode != "constant" {
		return b.Add(PadGrad, &padAttrs{Mode: mode}, append([]graph.Value{dy, like, pads}, axes...)...)
	}
	in := []graph.Value{dy, b.Add(Neg, nil, pads)}
	if axes != nil {
		in = append(in, 0, axes[0])
	}
	return b.Add(Pad, &padAttrs{Mode: mode}, in...)
}

func checkPadMode(mode string) error {
	switch mode {
	case "constant", "reflect", "edge", "wrap":
		return nil
	}
	return fmt.Errorf("mode is %q, want constant, reflect, edge or wrap", mode)
}

// padding is a Pad made concrete.
type padding struct {
	in, out tensor.Shape
	before  []int
}

// paddingOf reads pads and axes from the inputs at pads and axes.
func paddingOf(ints intsFunc, pads, axes int, s tensor.Shape, mode string) (*padding, error) {
	p, err := ints(pads)
	if err != nil {
		return nil, err
	}
	a, err := ints(axes)
	if err != nil {
		return nil, err
	}
	return newPadding(s, p, a, mode)
}

func newPadding(s tensor.Shape, pads, axes []int, mode string) (*padding, error) {
	n := len(s)
	if axes != nil {
		n = len(axes)
	}
	if len(pads) != 2*n {
		return nil, fmt.Errorf("%d pads for %d axes, want %d", len(pads), n, 2*n)
	}
	p := &padding{in: s, out: append(tensor.Shape{}, s...), before: make([]int, len(s))}
	seen := make([]bool, len(s))
	for i := range n {
		k := i
		if axes != nil {
			var err error
			if k, err = axis(axes[i], len(s)); err != nil {
				return nil, err
			}
		}
		if seen[k] {
			return nil, fmt.Errorf("axis %d is given twice", k)
		}
		seen[k] = true
		const most = 1 << 40
		if max(pads[i], pads[n+i]) > most || min(pads[i], pads[n+i]) < -most {
			return nil, fmt.Errorf("pads %d and %d of axis %d are too large", pads[i], pads[n+i], k)
		}
		p.before[k] = pads[i]
		p.out[k] += pads[i] + pads[n+i]
		if p.out[k] < 0 {
			return nil, fmt.Errorf("pads %d and %d cut more than the extent %d of axis %d", pads[i], pads[n+i], s[k], k)
		}
		if s[k] == 0 && p.out[k] > 0 && mode != "constant" {
			return nil, fmt.Errorf("axis %d is empty: nothing to pad with in mode %s", k, mode)
		}
	}
	return p, nil
}

// run pads c.In[0] into c.Out[0].
func (p *padding) run(c *graph.RunCtx, mode string, v *tensor.Tensor) {
	if mode != "constant" {
		copyMapped(c, c.Out[0], c.In[0], p.maps(mode))
		return
	}
	fill(c.Out[0], v)
	si, so := strides(p.in), strides(p.out)
	w := walk{ext: make([]int, len(p.in)), ds: so, ss: si}
	for k, b := range p.before {
		lo, hi := max(b, 0), min(b+p.in[k], p.out[k]) // of the input in the result
		w.ext[k] = max(hi-lo, 0)
		w.do += lo * so[k]
		w.so += (lo - b) * si[k]
	}
	copyStrided(c.Pool, c.Out[0], c.In[0], w)
}

// maps gives, for each axis, the index in the input of each index in the result.
func (p *padding) maps(mode string) [][]int {
	m := make([][]int, len(p.in))
	for k, d := range p.in {
		m[k] = make([]int, p.out[k])
		for o := range m[k] {
			i := o - p.before[k]
			switch {
			case d == 1 || (mode == "edge" && i < 0):
				i = 0
			case mode == "edge":
				i = min(i, d-1)
			case mode == "wrap":
				i = ((i % d) + d) % d
			default: // the reflected input repeats with period 2(d-1)
				period := 2 * (d - 1)
				if i = ((i % period) + period) % period; i >= d {
					i = period - i
				}
			}
			m[k][o] = i
		}
	}
	return m
}
