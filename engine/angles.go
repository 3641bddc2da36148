package engine

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// angles reports whether t, the parameter v, is what a table of sinusoids is computed from: the frequencies that positions multiply,
// as those of rotary embeddings and of the embedding of a time step, or those products as an exporter folded them. All it is read for are
// sines and cosines, both, and its numbers are those of frequencies, above zero and in order, or multiples of a line by 0, 1, 2 and so on.
// Layers whose activation is a sine have a learned weight there, and are told by what they multiply: computed or fed real numbers.
func (j *judge) angles(v graph.Value, t *tensor.Tensor) bool {
	if t.Len() < 2 {
		return false
	}
	var sine, cosine bool
	seen := map[place]bool{}
	var only func(g *graph.Graph, v graph.Value) bool
	only = func(g *graph.Graph, v graph.Value) bool {
		if seen[place{g, v}] {
			return true
		}
		seen[place{g, v}] = true
		return !j.read.output(g, v) && !slices.ContainsFunc(j.read.direct(g, v), func(u use) bool {
			switch {
			case is(u.n, ops.Sin):
				sine = true
				return false
			case is(u.n, ops.Cos):
				cosine = true
				return false
			case len(u.n.Out) == 0 || u.in > 0 && u.formal() != nil && u.formal().NoGrad:
				return true
			case u.n.Op.Role == graph.View, u.n.Op.Role == graph.Move:
			case is(u.n, ops.Mul), is(u.n, ops.MatMul), is(u.n, ops.Div) && u.in == 0:
				if !j.counts(u.g, u.other()) {
					return true
				}
			case is(u.n, ops.Einsum):
				if u.other() == 0 || !j.counts(u.g, u.other()) {
					return true
				}
			default:
				return true
			}
			return !only(u.g, u.n.Out[0])
		})
	}
	return only(j.g, v) && sine && cosine && (inOrder(t) || multiples(t))
}

// counts reports whether v of g is made of integers, of whole numbers of the file and of single ones, as the positions of a sequence are.
func (j *judge) counts(g *graph.Graph, v graph.Value) bool {
	if v == 0 {
		return false
	}
	whole, known := j.whole[place{g, v}]
	if !known {
		whole = j.isWhole(g, v)
		j.whole[place{g, v}] = whole
	}
	return whole
}

func (j *judge) isWhole(g *graph.Graph, v graph.Value) bool {
	in := g.Info(v)
	switch {
	case in.DType.IsInt():
		return true
	case in.Data != nil:
		return in.Data.Len() == 1 || !slices.ContainsFunc(in.Data.Float64s(), func(x float64) bool { return x != math.Trunc(x) })
	case in.Def == nil || len(in.Def.Bodies) > 0:
		return false
	}
	n := in.Def
	for i, x := range n.In[:n.NumIn] {
		if f := n.Op.FormalIn(i); x == 0 || f != nil && f.NoGrad && !is(n, ops.Range) {
			continue
		}
		if !j.counts(g, x) {
			return false
		}
	}
	return n.NumIn > 0
}

// inOrder reports whether t has one axis of numbers above zero that fall, or that rise.
func inOrder(t *tensor.Tensor) bool {
	x := t.Float64s()
	if axes(t) != 1 || !(x[0] > 0) {
		return false
	}
	for i := 1; i < len(x); i++ {
		if !(x[i] > 0) || x[i] == x[i-1] || (x[i] > x[i-1]) != (x[1] > x[0]) {
			return false
		}
	}
	return true
}

// multiples reports whether along one of the axes of t slice i is i times slice 1.
func multiples(t *tensor.Tensor) bool {
	x, inner := t.Float64s(), 1
	for k := t.Rank() - 1; k >= 0; k-- {
		d := t.Dim(k)
		if d > 1 && t.Len() > d && scaled(x, d, inner) {
			return true
		}
		inner *= d
	}
	return false
}

// scaled is multiples for the axis of d elements that are inner apart.
func scaled(x []float64, d, inner int) bool {
	some := false
	for base := 0; base < len(x); base += d * inner {
		for i := range d * inner {
			one := x[base+inner+i%inner]
			some = some || one != 0
			if want := float64(i/inner) * one; math.Abs(x[base+i]-want) > 1e-3*math.Abs(want) {
				return false
			}
		}
	}
	return some
}
