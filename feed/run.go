package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// Rows are further tensors that a session takes, with one row for each example.
type Rows struct {
	Same   map[string]*tensor.Tensor // a short last batch is filled up with copies of the first row
	Weight map[string]*tensor.Tensor // filled up with zeros: what weighs nothing is not counted
}

// Slice is the rows lo to hi.
func (r Rows) Slice(lo, hi int) Rows {
	cut := func(m map[string]*tensor.Tensor) map[string]*tensor.Tensor {
		out := make(map[string]*tensor.Tensor, len(m))
		for k, t := range m {
			out[k] = part(t, lo, hi)
		}
		return out
	}
	return Rows{cut(r.Same), cut(r.Weight)}
}

// Part is what a session gave for the examples Lo to Hi of a batch.
type Part struct {
	*engine.Result
	Lo, Hi int
	Size   int // rows that were fed; those from Hi-Lo on are padding
}

// Run runs s on the examples of b and calls got for each part. A model that takes any number of examples gets them all at once; one that
// takes its own number only gets so many at a time, the last ones filled up with copies of the first that got never sees. What a result
// holds is valid until got returns.
func (p *Plan) Run(ctx context.Context, s *engine.Session, b *data.Batch, more Rows, got func(Part) error) error {
	feeds, err := p.Feeds(b)
	if err != nil {
		return err
	}
	return p.RunFeeds(ctx, s, feeds, b.Len(), more, got)
}

// Direct is a plan for inputs that are at hand, for RunFeeds.
func Direct(m *engine.Model) *Plan { return &Plan{m: m} }

// Singly is p with one example at a time, whatever the model says it takes: for one that mixes the examples of a batch.
func (p *Plan) Singly() *Plan {
	q := *p
	q.size = 1
	return &q
}

// InParts is p with no more than so many examples at a time, where the model takes any number.
func (p *Plan) InParts(most int) *Plan {
	if p.Batch() > 0 {
		return p
	}
	q := *p
	q.size = most
	return &q
}

// Batch is how many examples are fed at a time: those of engine.Model.Batch, 0 for any number, or 1.
func (p *Plan) Batch() int {
	if p.size > 0 {
		return p.size
	}
	return p.m.Batch()
}

// RunFeeds is Run for inputs that are at hand: n examples each, constants as they are to be fed.
func (p *Plan) RunFeeds(ctx context.Context, s *engine.Session, feeds map[string]*tensor.Tensor, n int, more Rows,
	got func(Part) error) error {
	size := n
	if fixed := p.Batch(); fixed > 0 {
		size = fixed
	}
	for lo := 0; lo < n; lo += size {
		hi := min(lo+size, n)
		fed := make(map[string]*tensor.Tensor, len(feeds)+len(more.Same)+len(more.Weight))
		var err error
		put := func(name string, t *tensor.Tensor, e error) {
			fed[name] = t
			if err == nil && e != nil {
				err = fmt.Errorf("feed: %q: the model takes %d examples at a time, and %d are there: %w", name, size, hi-lo, e)
			}
		}
		for name, t := range feeds {
			fed[name] = t
			if k := p.m.BatchAxis(name); k >= 0 && !p.whole(name) && t.Rank() > k && t.Dim(k) == n {
				x, e := slabAlong(t, k, lo, hi, size)
				put(name, x, e)
			}
		}
		for name, t := range more.Same {
			x, e := slab(t, lo, hi, size, true)
			put(name, x, e)
		}
		for name, t := range more.Weight {
			x, e := slab(t, lo, hi, size, false)
			put(name, x, e)
		}
		if err != nil {
			return err
		}
		r, err := s.Run(ctx, fed)
		if err != nil {
			return p.open(err, fed)
		}
		if err := got(Part{r, lo, hi, size}); err != nil {
			return err
		}
	}
	return nil
}

// whole reports whether an input gets the same constant whatever the examples.
func (p *Plan) whole(name string) bool {
	i := slices.IndexFunc(p.sources, func(s source) bool { return s.io.Name == name })
	return i >= 0 && p.sources[i].fill != nil && whole(p.sources[i].io, p.sources[i].fill)
}

// part is rows lo to hi of t.
func part(t *tensor.Tensor, lo, hi int) *tensor.Tensor {
	if lo == 0 && hi == t.Dim(0) {
		return t
	}
	shape := slices.Clone(t.Shape())
	rows := shape[0]
	shape[0] = hi - lo
	out := tensor.New(t.DType(), shape...)
	tensor.CopyRows(out, 0, t, lo, hi, rows)
	return out
}

// slab is rows lo to hi of t, and up to size copies of its first row, or zeros.
func slab(t *tensor.Tensor, lo, hi, size int, copies bool) (*tensor.Tensor, error) {
	if size == hi-lo {
		return part(t, lo, hi), nil
	}
	shape := slices.Clone(t.Shape())
	rows := shape[0]
	shape[0] = size
	out, err := filled(t.DType(), shape...)
	if err != nil {
		return nil, err
	}
	tensor.CopyRows(out, 0, t, lo, hi, rows)
	if copies {
		for i := hi - lo; i < size; i++ {
			tensor.CopyRows(out, i, t, 0, 1, rows)
		}
	}
	return out, nil
}

// slabAlong is slab of the entries of axis k, filled up with copies.
func slabAlong(t *tensor.Tensor, k, lo, hi, size int) (*tensor.Tensor, error) {
	switch {
	case k == 0:
		return slab(t, lo, hi, size, true)
	case lo == 0 && hi == t.Dim(k) && size == hi:
		return t, nil
	}
	shape := slices.Clone(t.Shape())
	shape[k] = size
	if err := mayFill(t.DType(), shape); size > hi-lo && err != nil {
		return nil, err
	}
	from := make([]int, size)
	for i := range from {
		if lo+i < hi {
			from[i] = lo + i
		}
	}
	return Take(t, k, from), nil
}

// Take is the entries of axis k of t listed in from, in that order.
func Take(t *tensor.Tensor, k int, from []int) *tensor.Tensor {
	shape := slices.Clone(t.Shape())
	n := shape[k]
	shape[k] = len(from)
	out := tensor.New(t.DType(), shape...)
	outer := t.Shape()[:k].Len()
	for o := range outer {
		for r, i := range from {
			tensor.CopyRows(out, o*len(from)+r, t, o*n+i, o*n+i+1, outer*n)
		}
	}
	return out
}

// Gather puts the rows that belong to examples of the parts of a value one after another: into is nil for the first part, n the number of
// examples in all. A value whose first axis is not that of the examples is an error.
func Gather(into *tensor.Tensor, name string, v *tensor.Tensor, part Part, n int) (*tensor.Tensor, error) {
	if v.Rank() == 0 || v.Dim(0) != part.Size {
		return nil, fmt.Errorf("%w: %q is %v for %d examples: its first axis is not that of the examples", ErrMixed, name, v, part.Size)
	}
	if into == nil {
		into = tensor.New(v.DType(), append(tensor.Shape{n}, v.Shape()[1:]...)...)
	}
	if !into.Shape()[1:].Equal(v.Shape()[1:]) {
		return nil, fmt.Errorf("%q has shape %v after %v for other examples", name, v.Shape()[1:], into.Shape()[1:])
	}
	tensor.CopyRows(into, part.Lo, v, 0, part.Hi-part.Lo, part.Size)
	return into, nil
}

// ErrMixed is the error of a value that has no row for each example.
var ErrMixed = errors.New("feed: no row for each example")
