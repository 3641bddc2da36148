package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Reader is how Written looks at the values of a graph, whatever it is stored in. The zero V is no value.
type Reader[V comparable] interface {
	// Maker is the operator that computes v, in any version, and the inputs of its node; nil where there is none that the engine has.
	Maker(v V) (op *graph.Spec, in []V)
	// Constant is the constant that v is, or shows through views; nil where it is none.
	Constant(v V) *tensor.Tensor
}

// Written reads v as the last value of an activation that some exporters write out, and returns its name and what it is of; "" when it is
// none. reduced is the value of the Reduce node that says along which axes a Softmax or LogSoftmax runs.
func Written[V comparable](r Reader[V], v V) (name string, z, reduced V) {
	w := written[V]{r}
	if z, reduced, ok := w.softmax(v); ok {
		return "Softmax", z, reduced
	}
	if z, reduced, ok := w.logSoftmax(v); ok {
		return "LogSoftmax", z, reduced
	}
	if z, ok := w.sigmoid(v); ok {
		return "Sigmoid", z, reduced
	}
	return "", z, reduced
}

type written[V comparable] struct{ r Reader[V] }

// maker is the operator that computes v and its inputs; nil when there is none, or no input.
func (w written[V]) maker(v V) (*graph.Spec, []V) {
	var none V
	if v == none {
		return nil, nil
	}
	op, in := w.r.Maker(v)
	if op == nil || len(in) == 0 {
		return nil, nil
	}
	return op, in
}

// made are the inputs, n at least, of the node of op that computes v; nil when none does.
func (w written[V]) made(v V, op *graph.Spec, n int) []V {
	if by, in := w.maker(v); isOp(by, op) && len(in) >= n {
		return in
	}
	return nil
}

// isOp reports whether s is op, in any version.
func isOp(s, op *graph.Spec) bool { return s != nil && s.Domain == op.Domain && s.Name == op.Name }

// filled reports whether v is a constant of which every element is x.
func (w written[V]) filled(v V, x float64) bool {
	t := w.r.Constant(v)
	return t != nil && t.DType().IsFloat() && t.Len() > 0 &&
		!slices.ContainsFunc(t.Float64s(), func(y float64) bool { return y != x })
}

// softmax reads v as e/Σe of e = exp(z - c).
func (w written[V]) softmax(v V) (z, reduced V, ok bool) {
	if q := w.made(v, Div, 2); q != nil {
		r, of := w.reduced(q[1], ReduceSum)
		if e := w.made(q[0], Exp, 1); e != nil && of == q[0] {
			return w.shifted(e[0]), r, true
		}
	}
	return z, reduced, false
}

// logSoftmax reads v as d - log Σ exp d of d = z - c, or z - ReduceLogSumExp z.
func (w written[V]) logSoftmax(v V) (z, reduced V, ok bool) {
	d := w.made(v, Sub, 2)
	if d == nil {
		return z, reduced, false
	}
	r, of := w.reduced(d[1], ReduceLogSumExp)
	if log := w.made(w.spread(d[1]), Log, 1); log != nil {
		r, of = w.reduced(log[0], ReduceSum)
		e := w.made(of, Exp, 1)
		if e == nil {
			return z, reduced, false
		}
		of = e[0]
	}
	var none V
	return w.shifted(d[0]), r, r != none && of == d[0]
}

// sigmoid reads v as 1/(1 + exp(-z)) or exp(z)/(1 + exp(z)).
func (w written[V]) sigmoid(v V) (z V, ok bool) {
	top, bottom, one := z, z, true
	if q := w.made(v, Div, 2); q != nil {
		top, bottom, one = q[0], q[1], w.filled(q[0], 1)
	} else if r := w.made(v, Reciprocal, 1); r != nil {
		bottom = r[0]
	}
	sum := w.made(bottom, Add, 2)
	if sum == nil {
		return z, false
	}
	for i := range 2 {
		e := w.made(sum[i], Exp, 1)
		if e == nil || !w.filled(sum[1-i], 1) {
			continue
		}
		if top == sum[i] { // exp(z)
			return e[0], true
		}
		if z, ok := w.negated(e[0]); ok && one {
			return z, true
		}
	}
	return z, false
}

// negated is z when v is -z.
func (w written[V]) negated(v V) (z V, ok bool) {
	if n := w.made(v, Neg, 1); n != nil {
		return n[0], true
	}
	if n := w.made(v, Sub, 2); n != nil && w.filled(n[0], 0) {
		return n[1], true
	}
	if n := w.made(v, Mul, 2); n != nil {
		for i := range 2 {
			if w.filled(n[i], -1) {
				return n[1-i], true
			}
		}
	}
	return z, false
}

// spread looks back through what only repeats a reduced value over its axes again.
func (w written[V]) spread(v V) V {
	for range 4 {
		op, in := w.maker(v)
		if !spreads(op) {
			break
		}
		v = in[0]
	}
	return v
}

func spreads(op *graph.Spec) bool { return op != nil && op.Role == graph.View || isOp(op, Expand) }

// reduced is what v spreads, when that is the value of, reduced by op along axes that are known; else no value.
func (w written[V]) reduced(v V, op *graph.Spec) (r, of V) {
	var none V
	v = w.spread(v)
	in := w.made(v, op, 1)
	if in == nil || len(in) > 1 && in[1] != none && w.r.Constant(in[1]) == nil {
		return none, none
	}
	return v, in[0]
}

// shifted is z when v is z - c, c made of z alone; else v.
func (w written[V]) shifted(v V) V {
	if d := w.made(v, Sub, 2); d != nil && w.onlyFrom(d[1], d[0]) {
		return d[0]
	}
	return v
}

// onlyFrom reports whether v is computed from z and constants alone by a few reductions and comparisons.
func (w written[V]) onlyFrom(v, z V) bool {
	for range 8 {
		if v == z {
			return true
		}
		op, in := w.maker(v)
		switch {
		case op == nil:
			return false
		case spreads(op):
			v = in[0]
			continue
		case op.Role != graph.Reduction && !isOp(op, Max):
			return false
		}
		var none V
		next := none
		for _, x := range in {
			if x == none || w.r.Constant(x) != nil {
				continue
			}
			if next != none {
				return false
			}
			next = x
		}
		if next == none {
			return false
		}
		v = next
	}
	return false
}
