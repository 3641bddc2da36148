package optim

import (
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Step takes one step with all of ps, on the threads of pool. It fails, before anything is changed, for
// parameters that do not fit what the optimiser knows of them and when a rule at the head of the chain
// refuses the gradients. Parameters may join or be left out (frozen) from one step to the next: each has
// its own count of steps. An optimiser that evaluates the loss itself has other methods: see [Evaluation].
func (o *Optimizer) Step(pool *parallel.Pool, s Step, ps []*Param) error {
	switch o.evaluate.(type) {
	case *SAM:
		return fmt.Errorf("optim: step %d: sam takes a second gradient: call StepTwice", s.N)
	case Descender:
		return fmt.Errorf("optim: step %d: %s asks for the loss itself: call Descend", s.N, o.rules[0].Name())
	}
	return o.step(pool, s, ps)
}

func (o *Optimizer) step(pool *parallel.Pool, s Step, ps []*Param) error {
	if math.IsNaN(s.LR) || math.IsInf(s.LR, 0) {
		return fmt.Errorf("optim: step %d: learning rate is %v", s.N, s.LR)
	}
	if err := o.bind(s, ps); err != nil {
		return err
	}
	for i := range o.stages {
		st := &o.stages[i]
		for _, g := range st.begin {
			if err := g.Begin(pool, s, o.pending); err != nil {
				return fmt.Errorf("optim: step %d: %s: %w", s.N, g.Name(), err)
			}
		}
		if i == 0 {
			for _, b := range o.bound {
				b.st.t++
			}
		}
		if st.whole != nil {
			for j := range o.bound {
				o.bound[j].rewrite(pool, s, st.whole)
			}
		}
		pool.For(len(o.blocks), blocksPerTask, func(lo, hi int) {
			w := o.scratch.Get().(*worker)
			for k := lo; k < hi; k++ {
				w.block(o, s, i, k)
			}
			o.scratch.Put(w)
		})
		for j := range o.bound {
			if b := &o.bound[j]; b.u != nil {
				o.pending[j].U = b.u
			}
		}
	}
	o.reduce(s)
	return nil
}

// rewrite applies a Whole rule to the parameter.
func (b *bound) rewrite(pool *parallel.Pool, s Step, l *wholeLink) {
	if b.p.W.DType() == tensor.Float32 {
		l.rule.Rewrite32(pool, s, wholeBlock[float32](b, l))
	} else {
		l.rule.Rewrite64(pool, s, wholeBlock[float64](b, l))
	}
}

func wholeBlock[T Float](b *bound, l *wholeLink) *Block[T] {
	w := &Block[T]{Param: b.p, T: b.st.t, W: tensor.Data[T](b.p.W), G: tensor.Data[T](b.p.G), U: tensor.Data[T](b.u)}
	if b.raw != nil {
		w.Raw = tensor.Data[T](b.raw)
	}
	for _, t := range b.st.slots[l.slot : l.slot+l.slots] {
		w.Slot = append(w.Slot, tensor.Data[T](t))
	}
	return w
}

// bind checks the parameters of a step, gives new ones a state and cuts all into blocks.
func (o *Optimizer) bind(s Step, ps []*Param) error {
	o.round++
	old := o.bound
	o.bound, o.blocks, o.pending = o.bound[:0], o.blocks[:0], o.pending[:0]
	for i, p := range ps {
		if err := p.check(); err != nil {
			return fmt.Errorf("optim: step %d: parameter %d: %w", s.N, i, err)
		}
		st := o.state[p.Name]
		if st == nil {
			st = &paramState{shape: append(tensor.Shape{}, p.W.Shape()...), dtype: p.W.DType()}
			for _, sl := range o.slots {
				st.slots = append(st.slots, tensor.New(st.dtype, sl.of(st.shape)...))
			}
			o.state[p.Name] = st
			o.order = append(o.order, p.Name)
		}
		if st.round == o.round {
			return fmt.Errorf("optim: step %d: parameter %q occurs twice", s.N, p.Name)
		}
		st.round = o.round
		if st.dtype != p.W.DType() || !st.shape.Equal(p.W.Shape()) {
			return fmt.Errorf("optim: step %d: parameter %q is %v, its state is %v%v", s.N, p.Name, p.W, st.dtype, st.shape)
		}
		b := bound{p: p, st: st}
		if len(o.stages) > 1 {
			if i < len(old) && old[i].st == st {
				b.u, b.raw = old[i].u, old[i].raw
			} else {
				b.u = tensor.New(st.dtype, st.shape...)
				if o.raw {
					b.raw = tensor.New(st.dtype, st.shape...)
				}
			}
		}
		o.bound = append(o.bound, b)
		o.pending = append(o.pending, Pending{p, p.G})
		for lo, n := 0, p.W.Len(); lo < n; lo += blockLen {
			o.blocks = append(o.blocks, span{i, lo, min(lo+blockLen, n)})
		}
	}
	n := len(o.blocks) * len(o.means)
	if cap(o.sums) < n {
		o.sums = make([]float64, n)
	}
	o.sums = o.sums[:n]
	clear(o.sums)
	return nil
}

func (p *Param) check() error {
	switch {
	case p == nil || p.W == nil || p.G == nil:
		return errors.New("no weights or no gradient")
	case p.Name == "":
		return errors.New("no name")
	case p.W.DType() != tensor.Float32 && p.W.DType() != tensor.Float64:
		return fmt.Errorf("%q is %v; only float32 and float64 can be trained", p.Name, p.W)
	case p.G.DType() != p.W.DType() || !p.G.Shape().Equal(p.W.Shape()):
		return fmt.Errorf("%q is %v, its gradient is %v", p.Name, p.W, p.G)
	}
	return nil
}

// worker is what one thread needs to run blocks.
type worker struct {
	u32    [blockLen]float32
	u64    [blockLen]float64
	raw32  []float32
	raw64  []float64
	slot32 [][]float32
	slot64 [][]float64
	b32    Block[float32]
	b64    Block[float64]
}

// block runs one stage on one block.
func (w *worker) block(o *Optimizer, s Step, stage, k int) {
	sp := o.blocks[k]
	sums := o.sums[k*len(o.means):][:len(o.means)]
	if o.raw && w.raw32 == nil {
		w.raw32, w.raw64 = make([]float32, blockLen), make([]float64, blockLen)
	}
	if b := &o.bound[sp.i]; b.p.W.DType() == tensor.Float32 {
		runBlock(o, s, stage, b, sp, sums, w.u32[:], w.raw32, w.slot32, &w.b32, Elementwise.Update32, Finisher.Finish32)
	} else {
		runBlock(o, s, stage, b, sp, sums, w.u64[:], w.raw64, w.slot64, &w.b64, Elementwise.Update64, Finisher.Finish64)
	}
}

func runBlock[T Float](o *Optimizer, s Step, stage int, p *bound, sp span, sums []float64, u, raw []T, slots [][]T,
	b *Block[T], update func(Elementwise, Step, *Block[T]), finish func(Finisher, Step, *Block[T])) {
	lo, hi := sp.lo, sp.hi
	b.Param, b.T = p.p, p.st.t
	b.W, b.G = tensor.Data[T](p.p.W)[lo:hi:hi], tensor.Data[T](p.p.G)[lo:hi:hi]
	b.U = u[:hi-lo]
	if p.u != nil {
		b.U = tensor.Data[T](p.u)[lo:hi:hi]
	}
	b.Raw = nil
	if o.raw {
		if b.Raw = raw[:hi-lo]; p.raw != nil {
			b.Raw = tensor.Data[T](p.raw)[lo:hi:hi]
		}
	}
	if stage == 0 {
		copy(b.U, b.G)
		copy(b.Raw, b.G)
	}
	at := func(l link) {
		for i := l.slot; i < l.slot+l.slots; i++ {
			slots[i] = tensor.Data[T](p.st.slots[i])[lo:hi:hi]
		}
		b.Slot = slots[l.slot : l.slot+l.slots]
		b.Sum = sums[l.mean : l.mean+l.means]
	}
	for _, l := range o.stages[stage].run {
		at(l)
		update(l.rule, s, b)
	}
	if stage < len(o.stages)-1 {
		return
	}
	apply(T(s.LR), b.W, b.U)
	for _, l := range o.finish {
		at(l)
		finish(l.rule.(Finisher), s, b)
	}
}

// apply is w -= lr·u.
func apply[T Float](lr T, w, u []T) {
	u = u[:len(w)]
	if x, ok := any(w).([]float32); ok {
		kernel.AxpyF32(nil, x, any(u).([]float32), -float32(lr))
		return
	}
	for i := range w {
		w[i] -= lr * u[i]
	}
}

// reduce turns the sums of the blocks into means, always in the same order.
func (o *Optimizer) reduce(s Step) {
	n := 0
	clear(o.mean)
	for k, sp := range o.blocks {
		n += sp.hi - sp.lo
		for i := range o.mean {
			o.mean[i] += o.sums[k*len(o.mean)+i]
		}
	}
	for _, st := range o.stages {
		for _, l := range st.run {
			if r, ok := l.rule.(Totaller); ok {
				r.Total(s, o.mean[l.mean:l.mean+l.means])
			}
		}
	}
	for i := range o.mean {
		o.mean[i] /= float64(max(n, 1))
	}
}

// Report yields what the rules tell about the last step, as "rule.quantity" and its value: for example
// "diffgrad.xi", the mean friction coefficient, and "clip-norm.norm", the norm before clipping.
func (o *Optimizer) Report() iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		if d, ok := o.evaluate.(Descender); ok {
			for name, v := range d.Measures() {
				if !yield(d.Name()+"."+name, v) {
					return
				}
			}
		}
		for _, r := range o.rules {
			if m, ok := r.(Measurer); ok {
				if name, v := m.Measure(); !yield(r.Name()+"."+name, v) {
					return
				}
			}
		}
		for i, name := range o.means {
			if name != "" && !yield(name, o.mean[i]) {
				return
			}
		}
	}
}
