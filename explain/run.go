package explain

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// batching says how rows are fed to a model.
type batching struct {
	m    *engine.Model
	plan *feed.Plan
}

func newBatching(m *engine.Model) batching { return batching{m, feed.Direct(m)} }

// alone lets rows be fed one at a time from here on.
func (b *batching) alone() { b.plan = b.plan.Singly() }

// shapesFor are the shapes of the inputs for n rows, in their order.
func (b batching) shapesFor(shapes map[string]tensor.Shape, n int) []tensor.Shape {
	var out []tensor.Shape
	for _, io := range b.m.Inputs() {
		s := slices.Clone(shapes[io.Name])
		if k := b.m.BatchAxis(io.Name); k >= 0 && len(s) > k {
			s[k] = n
		}
		out = append(out, s)
	}
	return out
}

// examples checks that feeds are the inputs of the model, brings them to the form that it takes where nothing is lost, and returns how many
// rows they have.
func (b batching) examples(feeds map[string]*tensor.Tensor) (map[string]*tensor.Tensor, int, error) {
	out, n := map[string]*tensor.Tensor{}, -1
	var names []string
	for _, io := range b.m.Inputs() {
		names = append(names, io.Name)
		t := feeds[io.Name]
		if t == nil {
			return nil, 0, fmt.Errorf("explain: input %v is not given", io)
		}
		axis := b.m.BatchAxis(io.Name)
		if axis >= 0 && (t.Rank() <= axis || t.Len() == 0) {
			return nil, 0, fmt.Errorf("explain: input %q is %v; need one or more examples along axis %d, as in %v", io.Name, t, axis, io)
		}
		adapt := feed.Convert
		if axis == 0 {
			adapt = func(t *tensor.Tensor, _ tensor.DType) (*tensor.Tensor, error) { return feed.Adapt(io, t) }
		}
		t, err := adapt(t, io.DType)
		if err != nil {
			return nil, 0, fmt.Errorf("explain: input %v: %w", io, err)
		}
		if !fits(t.Shape(), io, axis) {
			return nil, 0, fmt.Errorf("explain: input %q has shape %v, want %v", io.Name, t.Shape(), io)
		}
		if axis >= 0 {
			if n >= 0 && t.Dim(axis) != n {
				return nil, 0, fmt.Errorf("explain: input %q has %d examples, others have %d", io.Name, t.Dim(axis), n)
			}
			n = t.Dim(axis)
		}
		out[io.Name] = t
	}
	for name := range feeds {
		if !slices.Contains(names, name) {
			return nil, 0, fmt.Errorf("explain: the model has no input %q%s; its inputs are %s", name, didYouMean(name, names),
				shown.Names(names, 12))
		}
	}
	return out, max(n, 1), nil
}

// fits reports whether s is a shape that io declares; the axis of the examples may have any extent.
func fits(s tensor.Shape, io engine.IO, axis int) bool {
	if io.Dims == nil || len(io.Dims) == 0 && s.Len() == 1 {
		return true
	}
	if len(s) != len(io.Dims) {
		return false
	}
	for k, d := range io.Dims {
		if d.Size >= 0 && s[k] != d.Size && k != axis {
			return false
		}
	}
	return true
}

// takes selects the rows of feeds listed in from.
func (b batching) takes(feeds map[string]*tensor.Tensor, from []int) map[string]*tensor.Tensor {
	out := map[string]*tensor.Tensor{}
	for name, t := range feeds {
		out[name] = t
		if k := b.m.BatchAxis(name); k >= 0 {
			out[name] = rowsOf(t, k, from)
		}
	}
	return out
}

// rowsOf is the entries of an axis of t listed in from; t itself when that is all of them in order.
func rowsOf(t *tensor.Tensor, axis int, from []int) *tensor.Tensor {
	same := len(from) == t.Dim(axis)
	for r, i := range from {
		same = same && r == i
	}
	if same {
		return t
	}
	return feed.Take(t, axis, from)
}
