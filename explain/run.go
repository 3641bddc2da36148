package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// batching says how rows are fed to a model.
type batching struct {
	fixed int             // the only batch size that the model admits, 0 when it takes any
	rows  map[string]bool // the inputs whose first axis is that of the rows; others are fed as they are
}

// newBatching looks at the declared shapes of the inputs: those with a free first axis have the rows there or, where no axis is free,
// those with the first axis of the first input.
func newBatching(m *engine.Model) batching {
	b := batching{rows: map[string]bool{}}
	ins := m.Inputs()
	ones := 0 // inputs that declare a batch of one
	for _, io := range ins {
		if len(io.Dims) > 0 && io.Dims[0].Size == 1 {
			ones++
		}
	}
	for i, io := range ins {
		freed := i == 0 && ones == 1 && len(io.Dims) > 0 && io.Dims[0].Size == 1 && m.Sizes(2)[0][0] == 2
		if io.Dims == nil || len(io.Dims) > 0 && io.Dims[0].Size < 0 || freed {
			b.rows[io.Name] = true
		}
	}
	if len(b.rows) > 0 {
		return b
	}
	for _, io := range ins {
		if len(io.Dims) > 0 && b.fixed == 0 {
			b.fixed = io.Dims[0].Size
		}
		b.rows[io.Name] = len(io.Dims) > 0 && io.Dims[0].Size == b.fixed
	}
	return b
}

// shapesFor are the shapes of the inputs of m for n rows, in its order.
func (b batching) shapesFor(m *engine.Model, shapes map[string]tensor.Shape, n int) []tensor.Shape {
	var out []tensor.Shape
	for _, io := range m.Inputs() {
		s := slices.Clone(shapes[io.Name])
		if b.rows[io.Name] && len(s) > 0 {
			s[0] = n
		}
		out = append(out, s)
	}
	return out
}

// examples checks that feeds are the inputs of m, brings them to the form that it takes where nothing is lost, and returns how many rows
// they have.
func (b batching) examples(m *engine.Model, feeds map[string]*tensor.Tensor) (map[string]*tensor.Tensor, int, error) {
	out, n := map[string]*tensor.Tensor{}, -1
	var names []string
	for _, io := range m.Inputs() {
		names = append(names, io.Name)
		t := feeds[io.Name]
		if t == nil {
			return nil, 0, fmt.Errorf("explain: input %v is not given", io)
		}
		if b.rows[io.Name] {
			if t.Rank() == 0 || t.Len() == 0 {
				return nil, 0, fmt.Errorf("explain: input %q is %v; need one or more examples along axis 0, as in %v", io.Name, t, io)
			}
			var err error
			if t, err = io.Adapt(t); err != nil {
				return nil, 0, fmt.Errorf("explain: %w", err)
			}
			if n >= 0 && t.Dim(0) != n {
				return nil, 0, fmt.Errorf("explain: input %q has %d examples, others have %d", io.Name, t.Dim(0), n)
			}
			n = t.Dim(0)
		}
		if d := io.DType; t.DType() != d {
			c, err := t.Convert(d)
			if err != nil || !sameNumbers(c, t) {
				return nil, 0, fmt.Errorf("explain: input %v is given as %v, and not all of its numbers are whole "+
					"and in the range of %v", io, t.DType(), d)
			}
			t = c
		}
		out[io.Name] = t
	}
	for name := range feeds {
		if !slices.Contains(names, name) {
			return nil, 0, fmt.Errorf("explain: the model has no input %q%s; its inputs are %s", name, didYouMean(name, names),
				strings.Join(names, ", "))
		}
	}
	return out, max(n, 1), nil
}

// sameNumbers reports whether t, converted to c, lost nothing. Rounding to another floating-point type loses nothing.
func sameNumbers(c, t *tensor.Tensor) bool {
	return c.DType().IsFloat() || slices.Equal(c.Float64s(), t.Float64s())
}

// takes selects the rows of feeds listed in from.
func (b batching) takes(feeds map[string]*tensor.Tensor, from []int) map[string]*tensor.Tensor {
	out := map[string]*tensor.Tensor{}
	for name, t := range feeds {
		out[name] = t
		if b.rows[name] {
			out[name] = rowsOf(t, from)
		}
	}
	return out
}

// run feeds n rows to s and calls got with each result, what was fed, and the rows lo to hi that the first hi-lo rows of the result
// belong to. A model that insists on a batch size gets batches of that size, the last one filled up with copies.
func (b batching) run(ctx context.Context, s *engine.Session, feeds map[string]*tensor.Tensor, n int,
	got func(r *engine.Result, fed map[string]*tensor.Tensor, lo, hi int) error) error {
	size := n
	if b.fixed > 0 {
		size = b.fixed
	}
	for lo := 0; lo < n; lo += size {
		hi := min(lo+size, n)
		fed := map[string]*tensor.Tensor{}
		for _, name := range s.Feeds() {
			t, ok := feeds[name]
			if !ok {
				continue
			}
			if b.rows[name] || name == choiceInput || name == positionInput {
				t = slab(t, lo, hi, size)
			}
			fed[name] = t
		}
		r, err := s.Run(ctx, fed)
		if err != nil {
			return fmt.Errorf("explain: %w", err)
		}
		if err := got(r, fed, lo, hi); err != nil {
			return err
		}
	}
	return nil
}

// slab is rows lo to hi of t, filled up to size with copies of its first row.
func slab(t *tensor.Tensor, lo, hi, size int) *tensor.Tensor {
	if lo == 0 && hi == t.Dim(0) && size == hi {
		return t
	}
	from := make([]int, size)
	for i := range from {
		if from[i] = 0; lo+i < hi {
			from[i] = lo + i
		}
	}
	return rowsOf(t, from)
}

// rowsOf is the rows of t listed in from; t itself when that is all of them in order.
func rowsOf(t *tensor.Tensor, from []int) *tensor.Tensor {
	same := len(from) == t.Dim(0)
	for r, i := range from {
		same = same && r == i
	}
	if same {
		return t
	}
	shape := slices.Clone(t.Shape())
	row := len(t.Bytes()) / shape[0]
	shape[0] = len(from)
	out := tensor.New(t.DType(), shape...)
	for r, i := range from {
		copy(out.Bytes()[r*row:(r+1)*row], t.Bytes()[i*row:])
	}
	return out
}
