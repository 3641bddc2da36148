package explain

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// expression explains a formula over outputs.
type expression struct {
	f      *Formula
	shapes map[string]tensor.Shape // of the tensors in it, for the given rows
	rows   int
}

// formulaValues are the tensors of f.
func formulaValues(m *engine.Model, f *Formula) ([]graph.Value, error) {
	var out []graph.Value
	var names, described []string
	for _, o := range m.Outputs() {
		names, described = append(names, o.Name), append(described, o.String())
	}
	for _, name := range f.tensors() {
		v := valueOf(m, name)
		if v == 0 {
			return nil, fmt.Errorf("explain: objective %q: the model has no output %q%s; its outputs are %s", f, name,
				didYouMean(name, names), shown.Names(described, 12))
		}
		if !isReal(m.Graph().Info(v).DType) {
			return nil, fmt.Errorf("explain: objective %q: %q is %v, which has no gradient; the outputs are %s", f, name,
				m.Graph().Info(v).DType, shown.Names(described, 12))
		}
		out = append(out, v)
	}
	return out, nil
}

// valueOf is the value of m called name: an output or any tensor inside. 0 when there is none.
func valueOf(m *engine.Model, name string) graph.Value {
	for i, o := range m.Outputs() {
		if o.Name == name {
			return m.Graph().Outputs[i]
		}
	}
	return m.Graph().Lookup(name)
}

// newExpression checks f against the shapes of its tensors.
func newExpression(f *Formula, values []graph.Value, t *trace) (*expression, error) {
	e := &expression{f, map[string]tensor.Shape{}, t.n}
	for i, name := range f.tensors() {
		if e.shapes[name] = t.shapes[values[i]]; e.shapes[name] == nil {
			return nil, fmt.Errorf("explain: objective %q: only a run can tell the shape of %q", f, name)
		}
	}
	s, err := e.shape(f.root)
	if err == nil && len(s) > 0 {
		err = fmt.Errorf("comes to %v numbers for each example; want one: give all indices, or take one of %s of it", s,
			strings.Join(functions, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("explain: objective %q: %w", f, err)
	}
	return e, nil
}

// cut is one axis of a tensor after indexing.
type cut struct {
	from, to int
	drop     bool // a single index: the axis goes
}

// cuts are what the indices of r leave of each axis of its tensor, without that of the examples. bare tells that the tensor has no such
// axis.
func (e *expression) cuts(r tensorRef) (cuts []cut, bare bool, err error) {
	s := e.shapes[r.name]
	bare = len(s) == 0 || s[0] != e.rows
	if bare && e.rows != 1 {
		return nil, false, fmt.Errorf("the first axis of %q, of shape %v for %d examples, is not that of the examples", r.name, s, e.rows)
	}
	index := r.index
	if i := slices.IndexFunc(index, func(it item) bool { return it.ellipsis }); i >= 0 || len(index) < len(s) {
		if i < 0 {
			i, index = len(index), append(slices.Clone(index), item{})
		}
		if left := len(s) - len(index) + 1; left >= 0 {
			index = slices.Replace(slices.Clone(index), i, i+1, slices.Repeat([]item{{isRange: true}}, left)...)
		}
	}
	if len(index) != len(s) {
		return nil, false, fmt.Errorf("%q has %d axes, %v for %d examples, and is given %d indices", r.name, len(s), s, e.rows, len(index))
	}
	for k, it := range index {
		n := s[k]
		if k == 0 && !bare {
			if it.isRange && it.from == nil && it.to == nil || !it.isRange && it.at == 0 {
				continue
			}
			return nil, false, fmt.Errorf("the first index of %q is that of the example: write 0 or : for it, and then the others", r.name)
		}
		c := cut{it.at, it.at + 1, true}
		if it.isRange {
			c = cut{0, n, false}
			if it.from != nil {
				c.from = *it.from
			}
			if it.to != nil {
				c.to = *it.to
			}
			for _, x := range []*int{&c.from, &c.to} {
				if *x < 0 {
					*x += n
				}
			}
			c.to = min(c.to, n)
		} else if it.at < 0 {
			c = cut{it.at + n, it.at + n + 1, true}
		}
		if c.from < 0 || c.to <= c.from || c.to > n {
			return nil, false, fmt.Errorf("axis %d of %q has indices 0 to %d", k, r.name, n-1)
		}
		cuts = append(cuts, c)
	}
	return cuts, bare, nil
}

// shape is that of a part of the formula, without the axis of the examples.
func (e *expression) shape(n node) (tensor.Shape, error) {
	switch n := n.(type) {
	case tensorRef:
		cuts, _, err := e.cuts(n)
		var s tensor.Shape
		for _, c := range cuts {
			if !c.drop {
				s = append(s, c.to-c.from)
			}
		}
		return s, err
	case call:
		_, err := e.shape(n.x)
		return nil, err
	case negated:
		return e.shape(n.x)
	case binary:
		a, err := e.shape(n.x)
		if err != nil {
			return nil, err
		}
		b, err := e.shape(n.y)
		if err != nil {
			return nil, err
		}
		out := slices.Clone(a)
		if len(b) > len(a) {
			out = slices.Clone(b)
		}
		for i := range out {
			x, y := fromEnd(a, len(out)-i), fromEnd(b, len(out)-i)
			if x != y && x != 1 && y != 1 {
				return nil, fmt.Errorf("%v %c %v: the shapes do not broadcast", a, n.op, b)
			}
			out[i] = max(x, y)
		}
		return out, nil
	}
	return nil, nil
}

// fromEnd is the extent of axis -k of s, 1 where it has none.
func fromEnd(s tensor.Shape, k int) int {
	if k > len(s) {
		return 1
	}
	return s[len(s)-k]
}

func (e *expression) scores() []string { return e.f.tensors() }

func (e *expression) kind() ObjectiveKind { return ExpressionOf }

func (e *expression) count() int { return 1 }

func (e *expression) feeds(map[string]*tensor.Tensor, int) (map[string]*tensor.Tensor, error) {
	return nil, nil
}

func (e *expression) add(b *build) graph.Value { return b.reshape(e.value(b, e.f.root), -1) }

// value adds a part of the formula, [N] and its shape.
func (e *expression) value(b *build, n node) graph.Value {
	s, err := e.shape(n)
	b.Fail(err)
	if b.Err() != nil {
		return 0
	}
	switch n := n.(type) {
	case number:
		return b.Scalar(e.dtype(b), float64(n))
	case negated:
		return b.Add(ops.Neg, nil, e.value(b, n.x))
	case tensorRef:
		return e.indexed(b, n, s)
	case call:
		x := b.reshape(e.value(b, n.x), -1, e.size(n.x))
		op := map[string]*graph.Spec{"sum": ops.ReduceSum, "mean": ops.ReduceMean, "max": ops.ReduceMax, "min": ops.ReduceMin,
			"norm": ops.ReduceL2}[n.fn]
		return b.Add(op, ops.KeepDims(false), x, b.Ints(1))
	case binary:
		op := map[byte]*graph.Spec{'+': ops.Add, '-': ops.Sub, '*': ops.Mul}[n.op]
		return b.Add(op, nil, e.aligned(b, n.x, len(s)), e.aligned(b, n.y, len(s)))
	}
	return 0
}

// size is how many numbers of an example a part of the formula has.
func (e *expression) size(n node) int {
	s, _ := e.shape(n)
	return s.Len()
}

// dtype is the element type of the first tensor.
func (e *expression) dtype(b *build) tensor.DType {
	v, err := b.Value(e.f.tensors()[0])
	b.Fail(err)
	return b.DType(v)
}

// aligned is a part with its axes after that of the examples at the end of rank ones.
func (e *expression) aligned(b *build, n node, rank int) graph.Value {
	x := e.value(b, n)
	s, _ := e.shape(n)
	if _, constant := n.(number); constant || len(s) == rank {
		return x
	}
	return b.reshape(x, append(append([]int{-1}, slices.Repeat([]int{1}, rank-len(s))...), s...)...)
}

// indexed cuts a tensor along its axes.
func (e *expression) indexed(b *build, r tensorRef, s tensor.Shape) graph.Value {
	x, err := b.Value(r.name)
	b.Fail(err)
	if d := e.dtype(b); b.Err() == nil && b.DType(x) != d {
		x = b.Add(ops.Cast, ops.CastTo(d), x)
	}
	cuts, bare, err := e.cuts(r)
	b.Fail(err)
	if b.Err() != nil {
		return 0
	}
	if bare {
		x = b.reshape(x, append([]int{1}, e.shapes[r.name]...)...)
	}
	var from, to, axes []int
	for k, c := range cuts {
		from, to, axes = append(from, c.from), append(to, c.to), append(axes, k+1)
	}
	if len(axes) > 0 {
		x = b.Add(ops.Slice, nil, x, b.Ints(from...), b.Ints(to...), b.Ints(axes...))
	}
	return b.reshape(x, append([]int{-1}, s...)...)
}

func (e *expression) read(f fetched, n int) ([]reading, error) {
	out := make([]reading, n)
	for r := range out {
		out[r].z = []float32{float32(f.rows[r])}
	}
	return out, nil
}

func (e *expression) choices(t Target, _ reading) ([]int, error) {
	if t.kind != targetArgmax {
		return nil, fmt.Errorf("explain: target %v: the objective %q is one number, without classes", t, e.f)
	}
	return []int{0}, nil
}

func (e *expression) about(r reading, _ int) Prediction {
	return Prediction{Logit: r.z[0], Value: new(r.z[0]), Prob: math.NaN(), Label: e.f.String()}
}
