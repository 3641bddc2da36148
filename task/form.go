package task

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// form is what one output of a model looks like.
type form struct {
	head  engine.Head
	io    engine.IO
	dtype tensor.DType
	shape tensor.Shape // of the logits, for n examples; nil when not known
	n     int
	mixed bool         // the first axis is not that of the examples
	in    tensor.Shape // of the input that the data feed, for n examples
	ids   bool         // that input is of integers
	rows  []int        // of the tables among the weights: the words of a vocabulary, where the input is of integers
	seen  bool         // the shape is that of a run

	lo, hi float64 // between which its numbers provably lie
	unit   bool    // the numbers that were seen sum to one over the classes of each decision, if they lie in [0,1]
}

// probabilities reports whether the numbers are probabilities although no activation was recognised.
func (f form) probabilities() bool { return f.head.Activation == "" && f.lo >= -1e-6 && f.hi <= 1+1e-6 }

// shut reports whether the numbers lie between bounds that neither logits nor probabilities have, such as percentages.
func (f form) shut() bool {
	return f.head.Activation == "" && !math.IsInf(f.lo, 0) && !math.IsInf(f.hi, 0) && !f.probabilities() && (f.lo >= 0 || f.hi <= 0)
}

// reach is the interval in which the output provably lies, its activation counted.
func (f form) reach() (lo, hi float64) {
	switch f.head.Activation {
	case sigmoid, softmax:
		return 0, 1
	case logSoft:
		return math.Inf(-1), 0
	}
	return f.lo, f.hi
}

// reaches reports whether all targets lie where the output comes.
func (f form) reaches(tr truth) bool {
	lo, hi := f.reach()
	return tr.low >= lo-1e-6 && tr.top <= hi+1e-6
}

// link is how logits are had from the numbers, for k classes of a decision.
func (f form) link(k int, several bool) link {
	switch {
	case !f.probabilities():
		return linkNone
	case k > 1 && f.unit && !several:
		return linkLog
	}
	return linkLogit
}

// String is the output with its shape, for messages.
func (f form) String() string {
	if f.shape == nil || f.mixed && !f.seen {
		return f.io.String()
	}
	s := fmt.Sprintf("%s %v%v", f.io.Name, f.dtype, f.shape)
	if len(f.shape) > 0 && f.shape[0] == f.n && !f.mixed {
		var b strings.Builder
		fmt.Fprintf(&b, "%s %v[N", f.io.Name, f.dtype)
		for _, d := range f.shape[1:] {
			fmt.Fprintf(&b, ",%d", d)
		}
		b.WriteString("]")
		s = b.String()
	}
	return s
}

// usable reports whether f has a row of real numbers for each example.
func (f form) usable() bool {
	return f.dtype.IsFloat() && f.shape != nil && !f.mixed && len(f.shape) > 0 && f.shape[0] == f.n && f.shape.Len() > 0
}

// mapped reports whether f is a sequence of maps from classes to numbers.
func (f form) mapped() bool {
	d := f.dtype
	return d.Kind() == tensor.Sequence && d.Inner().Kind() == tensor.Map
}

// perExample is the number of scores or values of each example when they lie along one axis: [N], [N,K], [N,K,1,1].
func (f form) perExample() (k int, ok bool) {
	if !f.usable() {
		return 0, false
	}
	s := squeezed(f.shape[1:])
	return s.Len(), len(s) <= 1
}

// dense is the number of classes, and the shape of the positions, when classes lie along the axis.
func (f form) dense(axis int) (k int, at tensor.Shape, ok bool) {
	if !f.usable() || len(f.shape) < 3 || axis >= len(f.shape) {
		return 0, nil, false
	}
	return f.shape[axis], slices.Delete(slices.Clone(f.shape[1:]), axis-1, axis), true
}

// classAxes are the axes along which classes may lie where there are positions, the likeliest first: that of the model's softmax; the
// last for [N,T,K], as transformers write it; the second for pictures.
func (f form) classAxes() []int {
	last := len(f.shape) - 1
	axes := []int{1, last}
	if last == 2 {
		axes = []int{2, 1}
	}
	if a := softmaxAxis(f); a == axes[1] {
		axes = []int{axes[1], axes[0]}
	}
	return axes
}

// pictureLike reports whether the output has the form of the input picture: as many channels at as many places. Such a model changes
// pictures.
func (f form) pictureLike() bool { return len(f.shape) == 4 && f.shape.Equal(f.in) }

// observe runs the model on two examples of ds and on three (the same again when there are no others) and notes the forms of its outputs,
// or of the one called output.
func observe(ctx context.Context, p *feed.Plan, ds data.Dataset, o Options, masks bool) (forms []form, mask tensor.Shape, err error) {
	m := p.Model()
	forms, q, err := heads(m, o.Output)
	if err != nil {
		return nil, nil, err
	}
	s, err := m.Session(q)
	if err != nil {
		return nil, nil, err
	}
	second, third := min(1, ds.Len()-1), min(2, ds.Len()-1)
	bo := data.BatchOptions{Preprocess: o.Preprocess, Masks: masks, Workers: 1, Prefetch: 1}
	for b, err := range twoBatches(ctx, ds, bo, []int{0, second, third}) {
		if err != nil {
			return nil, nil, err
		}
		if b.Mask != nil {
			mask = b.Mask.Shape()[1:]
		}
		feeds, err := p.Feeds(b)
		if err != nil {
			return nil, nil, err
		}
		in := feeds[p.Main().Name]
		err = p.RunFeeds(ctx, s, feeds, b.Len(), feed.Rows{}, func(part feed.Part) error {
			for i := range forms {
				v := part.Value(forms[i].head.Logits)
				f := &forms[i]
				// What follows the batch does so for another size too: an output [2,…] may have two rows whatever is fed.
				f.mixed = f.mixed || v.Rank() == 0 || v.Dim(0) != part.Size
				f.dtype, f.n, f.shape, f.seen = v.DType(), part.Size, slices.Clone(v.Shape()), true
				f.look(v)
				f.ids = in != nil && isIDs(in.DType())
				if in != nil && in.Rank() > 0 {
					f.in = append(tensor.Shape{part.Size}, in.Shape()[1:]...)
				}
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return forms, mask, nil
}

// twoBatches are the first two of those examples, then all of them; each is read once.
func twoBatches(ctx context.Context, ds data.Dataset, o data.BatchOptions, examples []int) iter.Seq2[*data.Batch, error] {
	return func(yield func(*data.Batch, error) bool) {
		order := data.SamplerFunc(func(int) []int { return examples })
		for b, err := range data.Batches(ctx, ds, order, len(examples), o) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(b.Slice(0, 2), nil) || !yield(b, nil) {
				return
			}
		}
	}
}

// look notes whether the numbers of v sum to one over the classes, wherever these may lie.
func (f *form) look(v *tensor.Tensor) {
	f.unit = false
	if !f.probabilities() || !v.DType().IsFloat() || v.Rank() < 2 || v.Len() == 0 {
		return
	}
	x := v.Float64s()
	for axis := 1; axis < v.Rank(); axis++ {
		k, inner := v.Dim(axis), v.Shape()[axis+1:].Len()
		if k < 2 {
			continue
		}
		ok := true
		for o := 0; ok && o < len(x)/(k*inner); o++ {
			for i := 0; ok && i < inner; i++ {
				sum := 0.0
				for c := range k {
					sum += x[(o*k+c)*inner+i]
				}
				ok = math.Abs(sum-1) < 1e-3
			}
		}
		f.unit = f.unit || ok
	}
}

// declared are the forms of the outputs of m by shape inference, for models without data.
func declared(m *engine.Model, o Options) ([]form, error) {
	forms, _, err := heads(m, o.Output)
	if err != nil {
		return nil, err
	}
	n := 2
	if ins := m.Inputs(); len(ins) > 0 && len(ins[0].Dims) > 0 && ins[0].Dims[0].Size > 0 {
		n = ins[0].Dims[0].Size // as declared, whether or not it takes others
	}
	in := o.Sizes
	if in == nil {
		in = m.Sizes(n)
	} else if len(in) > 0 && len(in[0]) > 0 {
		n = in[0][0]
	}
	var names []string
	for _, f := range forms {
		names = append(names, f.head.Logits)
	}
	ins, sizes := m.Inputs(), symbolSizes(m, in)
	shapes, _ := m.Shapes(in, names...) // what cannot be inferred is open
	for i := range forms {
		f := &forms[i]
		if f.dtype, err = m.DType(f.head.Logits); err != nil {
			return nil, err
		}
		f.n = n
		if shapes != nil {
			f.shape = shapes[i]
		}
		if f.shape == nil && f.head.Activation == "" {
			f.shape = written(sizes, f.io)
		}
		f.mixed = f.mixed || f.shape != nil && (len(f.shape) == 0 || f.shape[0] != n)
		if len(in) > 0 {
			f.in = in[0]
			f.ids = isIDs(ins[0].DType)
		}
		f.unit = f.probabilities() // nothing was seen of them
	}
	return forms, nil
}

// heads are the outputs of m, or the one called output, and a query for them.
func heads(m *engine.Model, output string) ([]form, engine.Query, error) {
	var forms []form
	var q engine.Query
	if output != "" {
		if _, err := m.Head(output); err != nil {
			return nil, q, err
		}
	}
	rows, batches, fetched := tables(m), batchSymbols(m), map[string]bool{}
	for _, io := range m.Outputs() {
		if output != "" && io.Name != output {
			continue
		}
		h, err := m.Head(io.Name)
		if err != nil {
			return nil, q, err
		}
		f := form{head: h, io: io, rows: rows, mixed: paired(batches, io)}
		if f.lo, f.hi, err = m.Range(h.Logits); err != nil {
			return nil, q, err
		}
		forms = append(forms, f)
		for _, n := range []string{h.Output, h.Logits} {
			if !fetched[n] {
				q.Fetch, fetched[n] = append(q.Fetch, n), true
			}
		}
	}
	if len(forms) == 0 {
		return nil, q, fmt.Errorf("task: the model has no output")
	}
	return forms, q, nil
}

// isIDs reports whether numbers of that type may stand for words.
func isIDs(d tensor.DType) bool { return d.IsInt() && d != tensor.Uint8 }

// tables are the numbers of rows of the matrices among the weights that have more rows than columns, as a vocabulary has more words than
// each has features.
func tables(m *engine.Model) (rows []int) {
	for p := range m.Params() {
		if s := p.Value.Shape(); len(s) == 2 && s[0] > s[1] {
			rows = append(rows, s[0])
		}
	}
	return rows
}
