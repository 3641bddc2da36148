package data

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"

	"github.com/gtk-onnx/gtk/tensor"
)

// Batch is consecutive examples of an order. Its tensors are valid until the next batch is asked for; Clone keeps one.
type Batch struct {
	Index  []int          // indices in the data set
	IDs    []string       // ids
	X      *tensor.Tensor // [N,…]
	Labels []int64        // class indices, -1 for none
	Y      *tensor.Tensor // regression targets [N,…], or nil
}

// Clone is a copy of b that stays valid.
func (b *Batch) Clone() *Batch {
	c := &Batch{Index: append([]int(nil), b.Index...), IDs: append([]string(nil), b.IDs...), X: b.X.Clone(), Labels: append([]int64(nil), b.Labels...)}
	if b.Y != nil {
		c.Y = b.Y.Clone()
	}
	return c
}

// BatchOptions says how batches are made. The zero value feeds the examples as they are, one pass, all processors.
type BatchOptions struct {
	Preprocess *Preprocess // for pictures (and, with its Tensors set, all else); nil: uint8 as they are
	Augment    Augment     // for pictures
	Seed       uint64      // of the augmentation
	Epoch      int         // of the order and the augmentation
	Skip       int         // batches to leave out at the start, to resume in the middle of an epoch
	DropLast   bool        // leave out a last batch that is not full
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
	ds    Dataset
	o     BatchOptions
	order []int
	size  int
	count int // batches
	first prepared
}

// prepared is an example as it goes into a batch.
type prepared struct {
	id    string
	label int
	x, y  *tensor.Tensor
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
	l.count = (len(l.order) + l.size - 1) / l.size
	if o.DropLast {
		l.count = len(l.order) / l.size
	}
	if l.count <= max(0, o.Skip) {
		return nil, nil
	}
	var err error
	l.first, err = l.prepare(l.order[max(0, o.Skip)*l.size])
	if err == nil && l.first.x.DType() == tensor.String {
		err = fmt.Errorf("data: example %q: strings cannot be batched", l.first.id)
	}
	if err == nil && l.first.x.DType().Bits()%8 != 0 {
		err = fmt.Errorf("data: example %q: %v cannot be batched; convert it to a type of whole bytes", l.first.id, l.first.x)
	}
	return l, err
}

// prepare reads, augments and preprocesses one example.
func (l *loader) prepare(i int) (prepared, error) {
	e, err := l.ds.Example(i)
	if err != nil {
		return prepared{}, err
	}
	out := prepared{e.ID, e.Label, e.X, e.Y}
	p := l.o.Preprocess
	if !e.Picture {
		if p != nil && p.Tensors {
			out.x, err = p.ApplyTensor(e.X)
		}
		return out, wrapExample(e.ID, err)
	}
	if p == nil && l.o.Augment == (Augment{}) {
		return out, nil
	}
	var geometry Preprocess
	if p != nil {
		geometry = *p
	}
	if err := checkPicture(e.X); err != nil {
		return out, wrapExample(e.ID, err)
	}
	r := newRandom(l.o.Seed, keyAugment, uint64(l.o.Epoch), uint64(i))
	part := l.o.Augment.part(r, e.X.Dim(1), e.X.Dim(2))
	pic, err := geometry.picture(e.X, part)
	if err != nil {
		return out, wrapExample(e.ID, err)
	}
	if out.x = l.o.Augment.shift(r, pic); p == nil {
		return out, nil
	}
	pic = out.x
	out.x = tensor.New(tensor.Float32, p.shape(pic)...)
	return out, wrapExample(e.ID, p.normalise(out.x.F32(), pic))
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
	index := l.order[b*l.size : min((b+1)*l.size, len(l.order))]
	n := len(index)
	if len(j.batch.Index) != n {
		j.batch = Batch{IDs: make([]string, n), Labels: make([]int64, n), X: tensor.New(l.first.x.DType(), append(tensor.Shape{n}, l.first.x.Shape()...)...)}
		if l.first.y != nil {
			j.batch.Y = tensor.New(l.first.y.DType(), append(tensor.Shape{n}, l.first.y.Shape()...)...)
		}
	}
	j.batch.Index = index
	j.errs = make([]error, n)
	j.todo.Add(n)
}

// fill puts example k of j in its place.
func (l *loader) fill(j *job, k int) error {
	i := j.batch.Index[k]
	e, err := l.prepare(i)
	if err != nil {
		return err
	}
	j.batch.IDs[k], j.batch.Labels[k] = e.id, int64(e.label)
	if err := place(j.batch.X, k, e.x, l.first.x); err != nil {
		return fmt.Errorf("data: example %q: %w; the first one is %q", e.id, err, l.first.id)
	}
	if (e.y == nil) != (j.batch.Y == nil) {
		return fmt.Errorf("data: example %q: some examples have a target and some have not; the first one is %q", e.id, l.first.id)
	}
	if e.y != nil {
		if err := place(j.batch.Y, k, e.y, l.first.y); err != nil {
			return fmt.Errorf("data: example %q: target: %w; the first one is %q", e.id, err, l.first.id)
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
