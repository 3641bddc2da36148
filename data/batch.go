package data

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"

	account "github.com/gtk-onnx/gtk/internal/memory"
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
	Mix    *Mix                      // with what the examples are mixed, nil for nothing
	Rest   int                       // examples of the same batch that come in further parts (BatchOptions.Part)
}

// Len is the number of examples.
func (b *Batch) Len() int { return len(b.IDs) }

// Slice is the examples lo to hi of b, copied.
func (b *Batch) Slice(lo, hi int) *Batch {
	cut := func(t *tensor.Tensor) *tensor.Tensor {
		if t == nil {
			return nil
		}
		out := tensor.New(t.DType(), append(tensor.Shape{hi - lo}, t.Shape()[1:]...)...)
		tensor.CopyRows(out, 0, t, lo, hi, b.Len())
		return out
	}
	c := &Batch{Index: part(b.Index, lo, hi), IDs: part(b.IDs, lo, hi), Labels: part(b.Labels, lo, hi), X: cut(b.X), Y: cut(b.Y),
		Mask: cut(b.Mask), Mix: b.Mix.Slice(lo, hi)}
	if b.Fields != nil {
		c.Fields = make(map[string]*tensor.Tensor, len(b.Fields))
		for k, t := range b.Fields {
			c.Fields[k] = cut(t)
		}
	}
	return c
}

// part is a copy of list[lo:hi], nil where there is no list.
func part[T any](list []T, lo, hi int) []T {
	if list == nil {
		return nil
	}
	return slices.Clone(list[lo:hi])
}

// Clone is a copy of b that stays valid.
func (b *Batch) Clone() *Batch { return b.Slice(0, b.Len()) }

// BatchOptions says how batches are made. The zero value feeds the examples as they are, one pass, all processors.
type BatchOptions struct {
	Preprocess *Preprocess // for pictures (and, with its Tensors set, all else); nil: uint8 as they are
	Augment    Augment     // random changes
	Masks      bool        // masks are wanted too; an example without one is an error
	Seed       uint64      // of the augmentation
	Epoch      int         // of the order and the augmentation
	Start      int         // examples of the order to leave out at the start: those that were seen in batches of other sizes
	Skip       int         // batches to leave out at the start, to resume in the middle of an epoch
	Part       int         // deliver a batch in parts of so many examples at most, as equal as can be; examples are mixed within one; 0: whole
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
	ds         Dataset
	o          BatchOptions
	order      indices // empty: 0..n-1
	n          int     // examples of the order
	size       int
	most       int      // examples of what is delivered at once
	count      int      // of what is delivered
	grain      int      // examples that are filled by one goroutine before it looks for more
	first      prepared // the example firstIndex: what all others must be like
	firstIndex int
	names      []string // of arrays, for messages; from firstField on those of fields, sorted
	pictures   bool     // the input of the first example is one
}

// cut is a batch, or a part of one: the places lo to hi of the order, behind which rest more belong to the same batch.
type cut struct{ lo, hi, rest int }

// cuts divides the order into batches, and these into parts.
func (l *loader) cuts(yield func(cut) bool) {
	start := max(0, l.o.Start)
	for b := max(0, l.o.Skip); b < NumBatches(l.n-start, l.size, l.o); b++ {
		lo := start + b*l.size
		hi := min(lo+l.size, l.n)
		if l.o.MergeLone && hi == l.n-1 {
			hi++
		}
		parts := 1
		if l.o.Part > 0 {
			parts = (hi - lo + l.o.Part - 1) / l.o.Part
		}
		for k := range parts {
			if !yield(cut{lo + (hi-lo)*k/parts, lo + (hi-lo)*(k+1)/parts, hi - (lo + (hi-lo)*(k+1)/parts)}) {
				return
			}
		}
	}
}

// places is the examples at lo to hi of the order.
func (l *loader) places(lo, hi int) []int {
	if l.order.len() == 0 {
		return from(lo, hi)
	}
	return l.order.part(lo, hi)
}

// prepared is an example as it goes into a batch.
type prepared struct {
	id     string
	label  int
	arrays []*tensor.Tensor // nil where there is none
}

// bytes is what its arrays take.
func (p *prepared) bytes() (n int64) {
	for _, t := range p.arrays {
		if t != nil {
			n += int64(t.StorageBytes())
		}
	}
	return n
}

// Arrays of a batch and of its examples, in this order: input, target, mask, and from here on the fields.
const (
	inputArray = iota
	targetArray
	maskArray
	firstField
)

// job is a batch in the making.
type job struct {
	batch  Batch
	arrays []*tensor.Tensor // of batch, as prepared.arrays
	start  int              // place of its first example in the epoch
	todo   sync.WaitGroup
	errs   []error // per example
}

// grain is up to how many bytes of small examples one goroutine fills before it looks for more: handing over takes as long as filling.
const grain = 8 << 10

// newLoader prepares the first example to learn the shape; nil when there are no batches.
func newLoader(ds Dataset, s Sampler, size int, o BatchOptions) (*loader, error) {
	if o.Preprocess != nil {
		if err := o.Preprocess.Validate(); err != nil {
			return nil, err
		}
	}
	l := &loader{ds: ds, o: o, size: size}
	switch s := s.(type) {
	case sequential:
		l.n = int(s)
	case shuffled:
		l.order = s.places(o.Epoch)
		l.n = s.n
	default:
		l.order.long = s.Order(o.Epoch)
		l.n = len(l.order.long)
	}
	if l.order.len() == 0 && l.n > ds.Len() {
		return nil, fmt.Errorf("data: sampler gives index %d of a set of %d", ds.Len(), ds.Len())
	}
	for k := range l.order.len() {
		if i := l.order.at(k); i < 0 || i >= ds.Len() {
			return nil, fmt.Errorf("data: sampler gives index %d of a set of %d", i, ds.Len())
		}
	}
	if size <= 0 {
		l.size = max(1, l.n)
	}
	at := -1
	for c := range l.cuts {
		if l.count++; at < 0 {
			at = l.places(c.lo, c.lo+1)[0]
		}
		l.most = max(l.most, c.hi-c.lo)
	}
	if l.count == 0 {
		return nil, nil
	}
	var t turn
	defer t.over()
	e, err := exampleIn(&t, ds, at)
	if err != nil {
		return nil, err
	}
	l.firstIndex = at
	l.names = append([]string{"input", "target", "mask"}, slices.Sorted(maps.Keys(e.Fields))...)
	l.pictures = e.Picture
	if l.first, err = l.prepare(&t, e, at); err != nil {
		return nil, err
	}
	if err := l.mayMix(); err != nil {
		return nil, err
	}
	l.grain = int(min(max(grain/max(l.first.bytes(), 1), 1), 32))
	for k, t := range l.first.arrays {
		switch {
		case t == nil:
		case t.DType() == tensor.String && k < firstField:
			return nil, fmt.Errorf("data: example %q: %s: strings cannot be batched", l.first.id, l.names[k])
		case t.DType() != tensor.String && t.DType().Bits()%8 != 0:
			return nil, fmt.Errorf("data: example %q: %s: %v cannot be batched; convert it to a type of whole bytes", l.first.id,
				l.names[k], t)
		}
	}
	return l, nil
}

// lie is how the numbers of an input lie.
func (l *loader) lie(picture bool) lie {
	return lie{last: picture && l.o.Preprocess != nil && l.o.Preprocess.Layout == "nhwc"}
}

// mayMix refuses mixtures of what is not real numbers.
func (l *loader) mayMix() error {
	mixes, _ := l.o.Augment.Mixes()
	if !mixes {
		return nil
	}
	x := l.first.arrays[inputArray]
	if x == nil || x.DType() != tensor.Float32 && (x.DType() != tensor.Float64 || l.pictures) {
		return fmt.Errorf("data: augmentation %s: example %q is %v as the model gets it, and only real numbers are mixed", l.o.Augment,
			l.first.id, x)
	}
	return nil
}

// NumBatches is the number of batches of size of n examples.
func NumBatches(n, size int, o BatchOptions) int {
	size = max(1, size)
	switch {
	case n <= 0:
		return 0
	case o.DropLast:
		return n / size
	case o.MergeLone && n > size && n%size == 1:
		return n / size
	}
	return (n + size - 1) / size
}

// prepare augments and preprocesses example i, which was read in turn t.
func (l *loader) prepare(t *turn, e Example, i int) (_ prepared, err error) {
	out := prepared{e.ID, e.Label, make([]*tensor.Tensor, len(l.names))}
	for k, n := range l.names[firstField:] {
		if out.arrays[firstField+k] = e.Fields[n]; e.Fields[n] == nil {
			return out, fmt.Errorf("data: example %q: no array %q", e.ID, n)
		}
	}
	out.arrays[targetArray] = e.Y
	if l.o.Masks {
		if e.Mask == nil {
			return out, fmt.Errorf("data: example %q has no mask", e.ID)
		}
		out.arrays[maskArray] = e.Mask
	}
	switch {
	case e.X == nil:
	case e.Picture:
		err = l.picture(t, &out, e, i)
	case l.o.Preprocess != nil && l.o.Preprocess.Tensors:
		out.arrays[inputArray], err = l.o.Preprocess.ApplyTensor(e.X)
	default:
		out.arrays[inputArray] = e.X
	}
	if x := out.arrays[inputArray]; err == nil && x != nil && l.o.touches() {
		if x == e.X {
			x = x.Clone() // that of the data set stays
			out.arrays[inputArray] = x
		}
		err = l.o.touch(i, x, l.lie(e.Picture))
	}
	return out, wrapExample(e.ID, err)
}

// picture augments and preprocesses the picture of e, and takes its mask the same way.
func (l *loader) picture(t *turn, out *prepared, e Example, i int) error {
	p := l.o.Preprocess
	if p == nil && l.o.Augment.None() {
		out.arrays[inputArray] = e.X
		return nil
	}
	var geometry Preprocess
	if p != nil {
		geometry = *p
	}
	if err := checkPicture(e.X); err != nil {
		return err
	}
	part := l.o.box(i, e.X.Dim(1), e.X.Dim(2))
	pic, err := geometry.picture(e.X, part)
	if err != nil {
		return err
	}
	s := &scene{pic: pic}
	if out.arrays[maskArray] != nil {
		if !e.Mask.Shape().Equal(e.X.Shape()[1:]) {
			return fmt.Errorf("the mask is %v, the picture %v", e.Mask, e.X)
		}
		if s.mask, err = geometry.mask(e.Mask, part); err != nil {
			return err
		}
	}
	if err := l.o.scene(i, s); err != nil {
		return err
	}
	if pic = s.pic; s.mask != nil {
		out.arrays[maskArray] = s.mask
	}
	if out.arrays[inputArray] = pic; p == nil {
		return nil
	}
	if err := t.need(4*int64(pic.Len()), "the picture as numbers"); err != nil {
		return err
	}
	x := tensor.New(tensor.Float32, p.shape(pic)...)
	out.arrays[inputArray] = x
	return p.normalise(x.F32(), pic)
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
	buffers, grant, err := l.buffers(ahead + 2)
	if err != nil {
		yield(nil, err)
		return
	}
	defer grant.Release()
	ctx, cancel := context.WithCancel(ctx)
	type task struct {
		j *job
		k int
	}
	tasks := make(chan task)
	jobs := make(chan *job, ahead)   // in order
	free := make(chan *job, buffers) // to use again
	for range buffers {
		free <- &job{}
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for range workers {
		all.Go(func() {
			for t := range tasks {
				end := min(t.k+l.grain, len(t.j.errs)) // when all are done, the job may be another batch
				for k := t.k; k < end; k++ {
					if ctx.Err() == nil {
						t.j.errs[k] = l.fill(t.j, k)
					}
					t.j.todo.Done()
				}
			}
		})
	}
	all.Go(func() {
		defer close(tasks)
		defer close(jobs)
		for c := range l.cuts {
			var j *job
			select {
			case j = <-free:
			case <-ctx.Done():
				return
			}
			l.open(j, c)
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
			n := len(j.batch.Index)
			for k := 0; k < n; k += l.grain {
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
		l.o.mix(j.start, &j.batch, l.lie(l.pictures))
		if !yield(&j.batch, nil) {
			return
		}
		free <- j
	}
	if ctx.Err() != nil {
		yield(nil, fmt.Errorf("data: %w", context.Cause(ctx)))
	}
}

// buffers asks for the memory of as many batches as wanted, or of fewer where it is short, which makes them later.
func (l *loader) buffers(wanted int) (n int, g *account.Grant, err error) {
	size := int64(l.most) * l.first.bytes()
	for n = min(wanted, l.count); ; n-- {
		if g, err = account.Take(int64(n)*size, fmt.Sprintf("a batch of %d examples", l.most)); err == nil || n <= 1 {
			return n, g, err
		}
	}
}

// open makes j the batch of c, its buffers new or those of an earlier batch of the same size.
func (l *loader) open(j *job, c cut) {
	index := l.places(c.lo, c.hi)
	n := len(index)
	if len(j.batch.Index) != n {
		j.arrays = make([]*tensor.Tensor, len(l.names))
		for k, first := range l.first.arrays {
			if first != nil {
				j.arrays[k] = tensor.New(first.DType(), append(tensor.Shape{n}, first.Shape()...)...)
			}
		}
		j.batch = Batch{IDs: make([]string, n), Labels: make([]int64, n), X: j.arrays[inputArray], Y: j.arrays[targetArray],
			Mask: j.arrays[maskArray]}
		for k, name := range l.names[firstField:] {
			if k == 0 {
				j.batch.Fields = map[string]*tensor.Tensor{}
			}
			j.batch.Fields[name] = j.arrays[firstField+k]
		}
	}
	j.batch.Index, j.batch.Rest, j.start = index, c.rest, c.lo
	j.errs = make([]error, n)
	j.todo.Add(n)
}

// fill puts example k of j in its place.
func (l *loader) fill(j *job, k int) error {
	i := j.batch.Index[k]
	var t turn
	defer t.over()
	e := l.first
	if i != l.firstIndex {
		read, err := exampleIn(&t, l.ds, i)
		if err != nil {
			return err
		}
		if e, err = l.prepare(&t, read, i); err != nil {
			return err
		}
	}
	j.batch.IDs[k], j.batch.Labels[k] = e.id, int64(e.label)
	for c, x := range e.arrays {
		first := l.first.arrays[c]
		if (x == nil) != (first == nil) {
			return fmt.Errorf("data: example %q: some examples have an array as %s and some have not; the first one is %q", e.id,
				l.names[c], l.first.id)
		}
		if x == nil {
			continue
		}
		if err := place(j.arrays[c], k, x, first); err != nil {
			what := ""
			if c != inputArray {
				what = l.names[c] + ": "
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
	tensor.CopyRows(dst, k, x, 0, 1, 1)
	return nil
}
