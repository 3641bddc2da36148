package data

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/gtk-onnx/gtk/tensor"
)

// Batch is consecutive examples of an order. Its tensors are valid until the next batch is asked for; Clone keeps one.
type Batch struct {
	Index  []int                     // indices in the data set
	IDs    []string                  // ids
	X      *tensor.Tensor            // [N,…], or nil where Fields has all
	Fields map[string]*tensor.Tensor // arrays that have names of their own, [N,…] each; nil for none
	Labels []int64                   // class indices, -1 for none
	Y      *tensor.Tensor            // targets [N,…], or nil
	Mask   *tensor.Tensor            // classes of pixels, uint8 [N,H,W]; nil unless BatchOptions.Masks asks for them
}

// Len is the number of examples.
func (b *Batch) Len() int { return len(b.IDs) }

// Slice is the examples lo to hi of b, copied.
func (b *Batch) Slice(lo, hi int) *Batch {
	cut := func(t *tensor.Tensor) *tensor.Tensor {
		if t == nil {
			return nil
		}
		row := len(t.Bytes()) / max(1, b.Len())
		out := tensor.New(t.DType(), append(tensor.Shape{hi - lo}, t.Shape()[1:]...)...)
		copy(out.Bytes(), t.Bytes()[lo*row:hi*row])
		return out
	}
	c := &Batch{Index: b.Index[lo:hi], IDs: b.IDs[lo:hi], Labels: b.Labels[lo:hi], X: cut(b.X), Y: cut(b.Y), Mask: cut(b.Mask)}
	if b.Fields != nil {
		c.Fields = make(map[string]*tensor.Tensor, len(b.Fields))
		for k, t := range b.Fields {
			c.Fields[k] = cut(t)
		}
	}
	return c
}

// Clone is a copy of b that stays valid.
func (b *Batch) Clone() *Batch {
	c := &Batch{Index: slices.Clone(b.Index), IDs: slices.Clone(b.IDs), Labels: slices.Clone(b.Labels)}
	for _, t := range []struct{ to, from **tensor.Tensor }{{&c.X, &b.X}, {&c.Y, &b.Y}, {&c.Mask, &b.Mask}} {
		if *t.from != nil {
			*t.to = (*t.from).Clone()
		}
	}
	if b.Fields != nil {
		c.Fields = make(map[string]*tensor.Tensor, len(b.Fields))
		for k, t := range b.Fields {
			c.Fields[k] = t.Clone()
		}
	}
	return c
}

// BatchOptions says how batches are made. The zero value feeds the examples as they are, one pass, all processors.
type BatchOptions struct {
	Preprocess *Preprocess // for pictures (and, with its Tensors set, all else); nil: uint8 as they are
	Augment    Augment     // for pictures
	Masks      bool        // masks are wanted too; an example without one is an error
	Seed       uint64      // of the augmentation
	Epoch      int         // of the order and the augmentation
	Skip       int         // batches to leave out at the start, to resume in the middle of an epoch
	DropLast   bool        // leave out a last batch that is not full
	MergeLone  bool        // a last batch of one example joins the one before: statistics of one example say nothing
	Workers    int         // goroutines that decode; 0: one per processor
	Prefetch   int         // batches made ahead; 0: 2
}

// Batches iterates over one epoch of ds in the order of s, size examples at a time (size <= 0: all in one batch).
// Examples are read, augmented and preprocessed in background goroutines; batches and their content are the same
// for any number of them. All examples must give one shape and type. After an error, which comes at its place in the
// order, nothing follows; a cancelled context is such an error. The goroutines have ended when the loop ends.
func Batches(ctx context.Context, ds Dataset, s Sampler, size int, o BatchOptions) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		l, err := newLoader(ds, s, size, o)
		if err != nil {
			yield(nil, err)
			return
		}
		if l == nil {
			return
		}
		l.run(ctx, yield)
	}
}

// loader is one iteration.
type loader struct {
	ds     Dataset
	o      BatchOptions
	order  []int
	size   int
	count  int // batches
	first  prepared
	fields []string // names, sorted
	cols   []column // of prepared.arrays
}

// prepared is an example as it goes into a batch.
type prepared struct {
	id     string
	label  int
	arrays []*tensor.Tensor // of the batch's columns, nil where there is none
}

// column is one array of a batch: where it stands, and its like for one example.
type column struct {
	name string // for messages
	at   func(*Batch) **tensor.Tensor
}

// columns are x, y, the mask and the fields of the given names.
func columns(fields []string) []column {
	all := []column{
		{"input", func(b *Batch) **tensor.Tensor { return &b.X }},
		{"target", func(b *Batch) **tensor.Tensor { return &b.Y }},
		{"mask", func(b *Batch) **tensor.Tensor { return &b.Mask }},
	}
	for _, n := range fields {
		all = append(all, column{name: n})
	}
	return all
}

// job is a batch in the making.
type job struct {
	batch Batch
	todo  sync.WaitGroup
	errs  []error // per example
}

// newLoader prepares the first example to learn the shape; nil when there are no batches.
func newLoader(ds Dataset, s Sampler, size int, o BatchOptions) (*loader, error) {
	if o.Preprocess != nil {
		if err := o.Preprocess.Validate(); err != nil {
			return nil, err
		}
	}
	if err := o.Augment.Validate(); err != nil {
		return nil, err
	}
	l := &loader{ds: ds, o: o, order: s.Order(o.Epoch), size: size}
	if size <= 0 {
		l.size = max(1, len(l.order))
	}
	for _, i := range l.order {
		if i < 0 || i >= ds.Len() {
			return nil, fmt.Errorf("data: sampler gives index %d of a set of %d", i, ds.Len())
		}
	}
	l.count = NumBatches(len(l.order), l.size, o)
	if l.count <= max(0, o.Skip) {
		return nil, nil
	}
	at := l.order[max(0, o.Skip)*l.size]
	e, err := ds.Example(at)
	if err != nil {
		return nil, err
	}
	l.fields = slices.Sorted(maps.Keys(e.Fields))
	l.cols = columns(l.fields)
	if l.first, err = l.prepare(at); err != nil {
		return nil, err
	}
	for k, t := range l.first.arrays {
		switch {
		case t == nil:
		case t.DType() == tensor.String:
			return nil, fmt.Errorf("data: example %q: %s: strings cannot be batched", e.ID, l.cols[k].name)
		case t.DType().Bits()%8 != 0:
			return nil, fmt.Errorf("data: example %q: %s: %v cannot be batched; convert it to a type of whole bytes", e.ID,
				l.cols[k].name, t)
		}
	}
	return l, nil
}

// NumBatches is the number of batches of size of n examples.
func NumBatches(n, size int, o BatchOptions) int {
	size = max(1, size)
	switch {
	case o.DropLast:
		return n / size
	case o.MergeLone && n > size && n%size == 1:
		return n / size
	}
	return (n + size - 1) / size
}

// prepare reads, augments and preprocesses one example.
func (l *loader) prepare(i int) (prepared, error) {
	e, err := l.ds.Example(i)
	if err != nil {
		return prepared{}, err
	}
	out := prepared{e.ID, e.Label, make([]*tensor.Tensor, len(l.cols))}
	for k, n := range l.fields {
		if out.arrays[3+k] = e.Fields[n]; e.Fields[n] == nil {
			return out, fmt.Errorf("data: example %q: no array %q", e.ID, n)
		}
	}
	out.arrays[1] = e.Y
	if l.o.Masks {
		if e.Mask == nil {
			return out, fmt.Errorf("data: example %q has no mask", e.ID)
		}
		out.arrays[2] = e.Mask
	}
	switch {
	case e.X == nil:
	case e.Picture:
		err = l.picture(&out, e, i)
	case l.o.Preprocess != nil && l.o.Preprocess.Tensors:
		out.arrays[0], err = l.o.Preprocess.ApplyTensor(e.X)
	default:
		out.arrays[0] = e.X
	}
	return out, wrapExample(e.ID, err)
}

// picture augments and preprocesses the picture of e, and takes its mask the same way.
func (l *loader) picture(out *prepared, e Example, i int) error {
	p := l.o.Preprocess
	if p == nil && l.o.Augment == (Augment{}) {
		out.arrays[0] = e.X
		return nil
	}
	var geometry Preprocess
	if p != nil {
		geometry = *p
	}
	if err := checkPicture(e.X); err != nil {
		return err
	}
	r := newRandom(l.o.Seed, keyAugment, uint64(l.o.Epoch), uint64(i))
	part := l.o.Augment.part(r, e.X.Dim(1), e.X.Dim(2))
	pic, err := geometry.picture(e.X, part)
	if err != nil {
		return err
	}
	move := l.o.Augment.draw(r)
	pic = move.apply(pic, 0)
	if out.arrays[2] != nil {
		if !e.Mask.Shape().Equal(e.X.Shape()[1:]) {
			return fmt.Errorf("the mask is %v, the picture %v", e.Mask, e.X)
		}
		mask, err := geometry.mask(e.Mask, part)
		if err != nil {
			return err
		}
		h, w := mask.Dim(0), mask.Dim(1)
		out.arrays[2] = move.apply(mask.Reshape(1, h, w), Void).Reshape(h, w)
	}
	if out.arrays[0] = pic; p == nil {
		return nil
	}
	out.arrays[0] = tensor.New(tensor.Float32, p.shape(pic)...)
	return p.normalise(out.arrays[0].F32(), pic)
}

func wrapExample(id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("data: example %q: %w", id, err)
}

// run makes batches until the end, an error, or the loop's break.
func (l *loader) run(ctx context.Context, yield func(*Batch, error) bool) {
	workers := l.o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ahead := l.o.Prefetch
	if ahead <= 0 {
		ahead = 2
	}
	ctx, cancel := context.WithCancel(ctx)
	type task struct {
		j *job
		k int
	}
	tasks := make(chan task)
	jobs := make(chan *job, ahead)   // in order
	free := make(chan *job, ahead+2) // buffers to use again
	for range ahead + 2 {
		free <- &job{}
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for range workers {
		all.Go(func() {
			for t := range tasks {
				if ctx.Err() == nil {
					t.j.errs[t.k] = l.fill(t.j, t.k)
				}
				t.j.todo.Done()
			}
		})
	}
	all.Go(func() {
		defer close(tasks)
		defer close(jobs)
		for b := max(0, l.o.Skip); b < l.count; b++ {
			var j *job
			select {
			case j = <-free:
			case <-ctx.Done():
				return
			}
			l.open(j, b)
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
			n := len(j.batch.Index)
			for k := range n {
				select {
				case tasks <- task{j, k}:
				case <-ctx.Done():
					j.todo.Add(k - n)
					return
				}
			}
		}
	})
	for j := range jobs {
		j.todo.Wait()
		if err := ctx.Err(); err != nil {
			yield(nil, fmt.Errorf("data: %w", context.Cause(ctx)))
			return
		}
		for _, err := range j.errs {
			if err != nil {
				yield(nil, err)
				return
			}
		}
		if !yield(&j.batch, nil) {
			return
		}
		free <- j
	}
	if ctx.Err() != nil {
		yield(nil, fmt.Errorf("data: %w", context.Cause(ctx)))
	}
}

// open makes j batch b, its buffers new or those of an earlier batch of the same size.
func (l *loader) open(j *job, b int) {
	end := min((b+1)*l.size, len(l.order))
	if l.o.MergeLone && end == len(l.order)-1 {
		end++
	}
	index := l.order[b*l.size : end]
	n := len(index)
	if len(j.batch.Index) != n {
		j.batch = Batch{IDs: make([]string, n), Labels: make([]int64, n)}
		if len(l.fields) > 0 {
			j.batch.Fields = make(map[string]*tensor.Tensor, len(l.fields))
		}
		for k, first := range l.first.arrays {
			if first == nil {
				continue
			}
			t := tensor.New(first.DType(), append(tensor.Shape{n}, first.Shape()...)...)
			if at := l.cols[k].at; at != nil {
				*at(&j.batch) = t
			} else {
				j.batch.Fields[l.cols[k].name] = t
			}
		}
	}
	j.batch.Index = index
	j.errs = make([]error, n)
	j.todo.Add(n)
}

// array is column k of b.
func (l *loader) array(b *Batch, k int) *tensor.Tensor {
	if at := l.cols[k].at; at != nil {
		return *at(b)
	}
	return b.Fields[l.cols[k].name]
}

// fill puts example k of j in its place.
func (l *loader) fill(j *job, k int) error {
	i := j.batch.Index[k]
	e, err := l.prepare(i)
	if err != nil {
		return err
	}
	j.batch.IDs[k], j.batch.Labels[k] = e.id, int64(e.label)
	for c, x := range e.arrays {
		first := l.first.arrays[c]
		if (x == nil) != (first == nil) {
			return fmt.Errorf("data: example %q: some examples have an array as %s and some have not; the first one is %q", e.id,
				l.cols[c].name, l.first.id)
		}
		if x == nil {
			continue
		}
		if err := place(l.array(&j.batch, c), k, x, first); err != nil {
			what := ""
			if c > 0 {
				what = l.cols[c].name + ": "
			}
			return fmt.Errorf("data: example %q: %s%w; the first one is %q", e.id, what, err, l.first.id)
		}
	}
	return nil
}

// place copies x, which must be like first, to row k of dst.
func place(dst *tensor.Tensor, k int, x, first *tensor.Tensor) error {
	if x.DType() != first.DType() || !x.Shape().Equal(first.Shape()) {
		return fmt.Errorf("%v does not fit into a batch of %v; give an image size", x, first)
	}
	n := len(x.Bytes())
	copy(dst.Bytes()[k*n:(k+1)*n], x.Bytes())
	return nil
}
