package ops

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// FoldAffine changes the constant weights of n, a Conv, ConvTranspose or Gemm, so that it also does what next does with its output, when
// that is affine in each channel: batch normalisation in inference, or an addition, subtraction, multiplication or division by a constant
// that holds one number, or one for each channel. It reports whether it could.
func FoldAffine(g *graph.Graph, n, next *graph.Node) bool {
	w := constantF32(g, input(n, 1))
	if w == nil || n.NumIn > 3 {
		return false
	}
	l, ok := foldableOf(n, w.Shape())
	if !ok {
		return false
	}
	bias := make([]float64, l.channels)
	if v := input(n, 2); v != 0 {
		if bias = perChannel(constantF32(g, v), 2, l.channels); bias == nil {
			return false
		}
	}
	scale, shift := affineOf(g, next, n.Out[0], l)
	if scale == nil {
		return false
	}
	fw, fb := w.Clone(), tensor.New(tensor.Float32, l.channels)
	for i, v := range fw.F32() {
		fw.F32()[i] = float32(float64(v) * scale[l.channel(i)])
	}
	for k := range fb.F32() {
		fb.F32()[k] = float32(bias[k]*l.beta*scale[k] + shift[k])
	}
	if a, ok := n.Attrs.(*gemmAttrs); ok {
		c := *a
		c.Beta = 1
		n.Attrs = &c
	}
	name := g.Info(n.In[1]).Name
	n.In, n.NumIn = []graph.Value{n.In[0], g.AddConst(name, fw), g.AddConst(name+".bias", fb)}, 3
	return true
}

// foldable is a layer with constant weights: the channels and the rank of its output, the factor of its bias, and the channel that an
// element of its weights makes.
type foldable struct {
	channels, rank int
	beta           float64
	channel        func(i int) int
	atLeast1       bool // the rank is 1 or more, and not known
}

// foldableOf describes n, whose weights have shape w.
func foldableOf(n *graph.Node, w tensor.Shape) (l foldable, ok bool) {
	l.beta, l.rank = 1, len(w)
	if len(w) < 2 || w.Len() == 0 {
		return l, false
	}
	inner := w.Len() / w[0]
	l.channels, l.channel = w[0], func(i int) int { return i / inner }
	switch a := n.Attrs.(type) {
	case *convAttrs:
		return l, n.Op == Conv && a.act == nil && !a.residual
	case *convTransposeAttrs:
		if n.Op != ConvTranspose || a.Group < 1 || w[0]%a.Group != 0 {
			return l, false
		}
		each, kernel := w[0]/a.Group, inner/w[1]
		l.channels, l.channel = w[1]*a.Group, func(i int) int { return i/inner/each*w[1] + i/kernel%w[1] }
		return l, true
	case *gemmAttrs:
		if !a.TransB {
			l.channels, l.channel = w[1], func(i int) int { return i % w[1] }
		}
		l.beta, l.atLeast1 = float64(a.Beta), a.wide
		return l, n.Op == Gemm && a.act == nil
	}
	return l, false
}

// affineOf is the scale and shift of each channel that n applies to x, an output of l; nil when it does something else.
func affineOf(g *graph.Graph, n *graph.Node, x graph.Value, l foldable) (scale, shift []float64) {
	if IsBatchNorm(n) && n.In[0] == x {
		var p [4][]float64
		for i := range p {
			t := constantF32(g, n.In[i+1])
			if t == nil || !t.Shape().Equal(tensor.Shape{l.channels}) {
				return nil, nil
			}
			p[i] = t.Float64s()
		}
		scale, shift = p[0], p[1]
		for k := range scale {
			scale[k] /= math.Sqrt(p[3][k] + float64(n.Attrs.(*batchNormAttrs).Epsilon))
			shift[k] -= p[2][k] * scale[k]
		}
		return scale, shift
	}
	at := 1 // of the constant
	if n.NumIn != 2 || n.In[0] != x {
		at = 0
	}
	if n.Op != Add && n.Op != Sub && n.Op != Mul && n.Op != Div || n.In[1-at] != x {
		return nil, nil
	}
	t := constantF32(g, n.In[at])
	c := perChannel(t, l.rank, l.channels)
	if c == nil || l.atLeast1 && t.Rank() > 1 {
		return nil, nil
	}
	scale, shift = make([]float64, l.channels), make([]float64, l.channels)
	for k, v := range c {
		switch {
		case n.Op == Add:
			scale[k], shift[k] = 1, v
		case n.Op == Sub && at == 1:
			scale[k], shift[k] = 1, -v
		case n.Op == Sub:
			scale[k], shift[k] = -1, v
		case n.Op == Mul:
			scale[k] = v
		case at == 1 && v != 0:
			scale[k] = 1 / v
		default:
			return nil, nil
		}
	}
	return scale, shift
}

// constantF32 is the content of v when that is a constant of float32, else nil.
func constantF32(g *graph.Graph, v graph.Value) *tensor.Tensor {
	if v == 0 || g.Info(v).Kind != graph.Constant || g.Info(v).DType != tensor.Float32 {
		return nil
	}
	return g.Info(v).Data
}

// perChannel is t as one number for each of the channels of a tensor of the given rank that t broadcasts to, nil when it is something
// else.
func perChannel(t *tensor.Tensor, rank, channels int) []float64 {
	if t == nil || t.Rank() > rank {
		return nil
	}
	for i, d := range t.Shape() {
		if d != 1 && !(d == channels && i == t.Rank()-rank+1) {
			return nil
		}
	}
	out := t.Float64s()
	if len(out) == 1 {
		out = slices.Repeat(out, channels)
	}
	return out
}
