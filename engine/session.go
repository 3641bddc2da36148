package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// Loss adds a scalar, or one number for each example, to the graph of a session and returns it. It may add inputs, such as labels, that
// Run then takes too.
type Loss func(b *Build) (graph.Value, error)

// Build is what a Loss sees: the graph under construction.
type Build struct {
	*graph.Builder
	m     *Model
	feeds map[string]graph.Value
	grads map[string]graph.Value
}

// Gradient is the gradient of the loss by what Query.Grad calls name, for Query.Derive; 0 where the loss does not depend on it.
func (b *Build) Gradient(name string) graph.Value { return b.grads[name] }

// Value is the value of the forward graph called name. Of an output in half precision it is what is computed, before it is narrowed.
func (b *Build) Value(name string) (graph.Value, error) {
	v, err := b.m.value(name)
	if err != nil {
		return 0, err
	}
	return b.m.wide(v), nil
}

// Input adds an input, to be fed by that name.
func (b *Build) Input(name string, d tensor.DType, dims []graph.Dim) graph.Value {
	if v, ok := b.feeds[name]; ok {
		return v
	}
	v := b.G.AddInput(name, d, dims)
	b.feeds[name] = v
	return v
}

// BNMode says how a session treats batch normalisation.
type BNMode int

// Batch normalisation by the running statistics of the model, or by those of the batch, with the running ones updated.
const (
	BNFrozen BNMode = iota
	BNTrain
)

// Query says what a session is to compute.
//
// Every parameter whose content stays the same from run to run is a constant of the session: what follows from it alone is computed
// once, it is fused into kernels and kept in the order in which they read it, on the way of the gradient as well. The rule: the parameters
// in Grad may be changed in place between runs, unless Fixed is set, and with BNTrain a run changes the running statistics; all others are
// constants. A session whose constants changed since, because another session trained them or Model.Changed says so, is built anew before
// its next run.
type Query struct {
	Fetch      []string                        // values of the forward graph; empty with no loss means the outputs
	Loss       Loss                            // what is differentiated; its value is Result.Loss
	Grad       []string                        // parameters, inputs or inner values to differentiate by
	PerExample []string                        // parameters of which the squared gradient norm of each example is wanted
	Override   func(n *graph.Node) grad.Rule   // replaces gradient rules
	Derive     func(b *Build) (Outputs, error) // adds further values to fetch, after the gradients
	BN         BNMode
	Dropout    bool // train with dropout where the model has it
	Memory     int  // bytes that a run may plan for values at most, by recomputing; 0 means any. See rewrite.WithinMemory
	Fixed      bool // the gradients are looked at only: the parameters in Grad are constants too
}

// Where Query.Memory sets no limit, plans of training steps from thriftyFrom bytes on are made smaller by at most thriftyShare of the time
// of a step; see rewrite.Thrifty.
const (
	thriftyFrom  = 64 << 20
	thriftyShare = 0.04
)

// Outputs are values to fetch under names of their own.
type Outputs map[string]graph.Value

// Session is a compiled query. It serves one goroutine at a time: a run while another one is under way is an error that is ErrInUse, and a
// Result gives nothing more once the next run began. Sessions of one model are safe side by side, those that differentiate and those that
// do not; running statistics that one changes (BNTrain) are changed while no other runs. See Model for what changes parameters. Fields are
// set before the first run.
type Session struct {
	// Trace, when set, is called after each node with the time it took.
	Trace func(n *graph.Node, d time.Duration)

	m       *Model
	q       Query
	plain   bool // neither freeze nor fuse
	prog    *exec.Program
	gen     int64          // of the model, when the constants were last seen to be what they are
	thawed  bool           // state of the model when the session was built
	trained []*Param       // may change from run to run
	frozen  []*Param       // constants
	feeds   []string       // names of the graph's inputs
	slot    map[string]int // what is fetched, by key: "v:name", "g:name", "n:name", "loss"
	state   []update
	none    map[string]bool // gradients that are zero
	seed    *tensor.Tensor  // of the dropout masks, nil without dropout
	proving bool            // run for Batch, which must not ask for itself
	busy    atomic.Bool     // a run is under way
	runs    atomic.Int64    // that began
}

// update copies a fetched value into a parameter after each run.
type update struct {
	slot int
	into *tensor.Tensor
}

// Session derives, rewrites and compiles what q asks for.
func (m *Model) Session(q Query) (*Session, error) {
	if err := m.gate.enter(); err != nil {
		return nil, err
	}
	defer m.gate.leave()
	if m.short != nil {
		return nil, m.short
	}
	s := &Session{m: m, q: q}
	m.gate.opened(s)
	return s, s.build()
}

// build derives and compiles the graph of the query.
func (s *Session) build() error {
	old := s.seed
	g, fetch, err := s.derive()
	if err != nil {
		return err
	}
	if s.seed != nil && old != nil {
		copy(s.seed.I64(), old.I64())
	}
	if !s.plain {
		if err := rewrite.Fuse(g, fetch); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		rewrite.Dead(g, fetch)
		rewrite.Recompute(g, fetch)
	}
	s.feeds = nil
	for _, v := range g.Inputs {
		s.feeds = append(s.feeds, g.Info(v).Name)
	}
	if s.prog, err = exec.Compile(g, fetch, s.m.pool); err != nil {
		return err
	}
	if s.q.Memory > 0 {
		s.prog.Special = rewrite.WithinMemory(s.q.Memory)
	} else if len(s.q.Grad) > 0 && !s.plain {
		s.prog.Special = rewrite.Thrifty(thriftyFrom, thriftyShare)
	}
	return nil
}

// derive makes the graph of the query, before fusion, and the values to fetch.
func (s *Session) derive() (*graph.Graph, []graph.Value, error) {
	m, q := s.m, s.q
	g := m.g.Clone()
	own := graph.Value(g.NumValues()) // values from here on are the session's
	s.slot, s.none, s.state = map[string]int{}, map[string]bool{}, nil
	var fetch []graph.Value
	want := func(key string, v graph.Value) {
		s.slot[key] = len(fetch)
		fetch = append(fetch, v)
	}
	if len(q.Fetch) == 0 && q.Loss == nil {
		for _, o := range m.outputs {
			q.Fetch = append(q.Fetch, o.Name)
		}
	}
	for _, name := range q.Fetch {
		v, err := m.value(name)
		if err != nil {
			return nil, nil, err
		}
		want("v:"+name, v)
	}
	w, err := s.wrt()
	if err != nil {
		return nil, nil, err
	}
	changing := map[graph.Value]bool{}
	if !q.Fixed {
		for _, v := range w.grad {
			changing[v] = true
		}
	}
	if q.BN == BNTrain {
		if len(q.PerExample) > 0 {
			return nil, nil, errors.New("engine: per-example gradients do not exist with batch normalisation in training mode, " +
				"which mixes the examples: freeze it")
		}
		for _, u := range rewrite.TrainBatchNorm(g) {
			changing[u.Param] = true
			want("s:"+g.Info(u.Param).Name, u.Value)
			s.state = append(s.state, update{len(fetch) - 1, g.Info(u.Param).Data})
		}
	}
	if q.Dropout {
		s.seed = rewrite.TrainDropout(g)
	}
	s.split(g, changing)
	changes := func(v graph.Value) bool { return v >= own || changing[v] }
	if len(w.grad)+len(w.example) > 0 || q.Derive != nil {
		if err := rewrite.StraightThrough(g, changes); err != nil {
			return nil, nil, fmt.Errorf("engine: %w", err)
		}
	} else if !s.plain {
		rewrite.Quantised(g, fetch)
	}
	b := &Build{Builder: graph.NewBuilder(g), m: m, feeds: map[string]graph.Value{}, grads: map[string]graph.Value{}}
	for _, v := range g.Inputs {
		b.feeds[g.Info(v).Name] = v
	}
	if q.Loss != nil {
		loss, err := q.Loss(b)
		if err == nil {
			err = b.Err()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("engine: loss: %w", err)
		}
		want("loss", loss)
		if !s.plain && q.Derive == nil { // which may differentiate by what is not known here
			if err := s.settle(g, w, fetch, changes); err != nil {
				return nil, nil, err
			}
		}
		if err := s.differentiate(g, loss, w, want); err != nil {
			return nil, nil, err
		}
		for _, name := range q.Grad {
			if i, ok := s.slot["g:"+name]; ok {
				b.grads[name] = fetch[i]
			}
		}
	}
	if q.Derive != nil {
		outs, err := q.Derive(b)
		if err == nil {
			err = b.Err()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("engine: %w", err)
		}
		for _, name := range slices.Sorted(maps.Keys(outs)) { // a file that is written of it is the same each time
			want("v:"+name, outs[name])
		}
	}
	if !s.plain || len(s.trained)+len(w.grad)+len(w.example) == 0 {
		rewrite.Freeze(g, changes)
		if !s.plain {
			if err := rewrite.Integers(g, fetch); err != nil {
				return nil, nil, fmt.Errorf("engine: %w", err)
			}
		}
		if err := rewrite.Fold(g); err != nil {
			return nil, nil, fmt.Errorf("engine: %w", err)
		}
	}
	rewrite.Sink(g)
	g.Outputs = nil
	rewrite.Merge(g, fetch)
	rewrite.Dead(g, fetch)
	return g, fetch, nil
}

// wrt are the values that a query differentiates by.
type wrt struct{ grad, example []graph.Value }

func (s *Session) wrt() (w wrt, err error) {
	for _, name := range s.q.Grad {
		v, err := s.m.value(name)
		if err != nil {
			return w, err
		}
		w.grad = append(w.grad, v)
	}
	for _, name := range s.q.PerExample {
		p, err := s.m.Param(name)
		if err != nil {
			return w, err
		}
		w.example = append(w.example, p.value)
	}
	return w, nil
}

// differentiate adds what q asks of the gradient of loss.
func (s *Session) differentiate(g *graph.Graph, loss graph.Value, w wrt, want func(string, graph.Value)) error {
	q := s.q
	if n := rewrite.Severed(g, slices.Concat(w.grad, w.example), loss); n != nil {
		return fmt.Errorf("engine: %s makes quantised numbers, which are computed with as they are, so that no gradient goes through them: "+
			"differentiate by what follows it only, or take the model before it was quantised", n.Label())
	}
	opt := grad.Options{Override: q.Override}
	if len(w.grad) > 0 {
		ds, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, loss)}, w.grad, opt)
		if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		for i, d := range ds {
			if d == 0 {
				s.none[q.Grad[i]] = true
				continue
			}
			want("g:"+q.Grad[i], d)
		}
	}
	if len(w.example) == 0 {
		return nil
	}
	opt.Examples = s.m.examples(g)
	ns, err := grad.PerExample(g, []grad.Seed{grad.Ones(g, loss)}, w.example, opt)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	b := graph.NewBuilder(g)
	var total graph.Value
	for i, n := range ns {
		if n == 0 {
			s.none[q.PerExample[i]] = true
			continue
		}
		want("n:"+q.PerExample[i], n)
		if total == 0 {
			total = n
		} else {
			total = b.Add(ops.Add, nil, total, n)
		}
	}
	if err := b.Err(); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if total != 0 {
		want("norm2", total)
	}
	return nil
}

// Result is what a run computed. Its tensors are valid until the next run of the session; asked later, it gives nil. It is for the
// goroutine that ran the session.
type Result struct {
	s   *Session
	run int64
	out []*tensor.Tensor
}

// Run feeds the inputs by name. It checks what is fed against the model's inputs. The error is ErrInUse while another goroutine runs s, and
// ErrClosed when the model was closed.
func (s *Session) Run(ctx context.Context, feeds map[string]*tensor.Tensor) (*Result, error) {
	if !s.busy.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("engine: session: %w", ErrInUse)
	}
	defer s.busy.Store(false)
	run := s.runs.Add(1)
	out, state, trained, err := s.compute(ctx, feeds)
	if err != nil {
		return nil, err
	}
	if len(state) > 0 {
		s.m.gate.alone(func() {
			for _, u := range state {
				copy(u.into.Bytes(), out[u.slot].Bytes())
			}
		})
	}
	s.m.change(trained)
	return &Result{s, run, out}, nil
}

// compute is a run up to what it gives, and what is then to be changed.
func (s *Session) compute(ctx context.Context, feeds map[string]*tensor.Tensor) (out []*tensor.Tensor, state []update,
	trained []*Param, err error) {
	if err := s.m.gate.enterRun(); err != nil {
		return nil, nil, nil, err
	}
	defer s.m.gate.leave()
	if s.stale() {
		if err := s.build(); err != nil {
			s.gen = -1 // stale still
			return nil, nil, nil, err
		}
	}
	in, err := s.given(feeds)
	if err != nil {
		return nil, nil, nil, err
	}
	s.prog.Trace = s.Trace
	if out, err = s.prog.Run(ctx, in); err != nil {
		return nil, nil, nil, err
	}
	if s.seed != nil {
		s.seed.I64()[1]++
	}
	return out, s.state, s.trained, nil
}

// given checks what is fed and brings it into the order of the graph's inputs.
func (s *Session) given(feeds map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	g := s.prog.Graph()
	in := make([]*tensor.Tensor, len(s.feeds))
	for i, name := range s.feeds {
		t, ok := feeds[name]
		if !ok || t == nil {
			return nil, fmt.Errorf("engine: input %q is not given", name)
		}
		info := g.Info(g.Inputs[i])
		if info.Dims != nil && len(info.Dims) == 0 && t.Len() == 1 {
			t = t.Reshape() // one number where a scalar is declared
		}
		if err := fits(t, info, s.m.batch.of[name], s.free); err != nil {
			return nil, fmt.Errorf("engine: input %q: %w", name, err)
		}
		in[i] = t
	}
	if len(feeds) > len(in) {
		for name := range feeds {
			if !slices.Contains(s.feeds, name) {
				return nil, fmt.Errorf("engine: the model has no input %q%s", name, hint(name, s.feeds))
			}
		}
	}
	return in, nil
}

// ErrShape is the error of feeding a tensor whose shape the model's input does not admit.
var ErrShape = errors.New("shape does not fit")

// free reports whether the model takes another batch size than it declares.
func (s *Session) free() bool { return s.proving || s.m.Batch() == 0 }

// otherCount says that t has another number of elements for each example than an input takes, "" where it is not known to.
func otherCount(t *tensor.Tensor, info *graph.Info) string {
	if t.Rank() < 1 || len(info.Dims) < 2 {
		return ""
	}
	have, want := t.Shape()[1:].Len(), 1
	for _, d := range info.Dims[1:] {
		if d.Size < 1 {
			return ""
		}
		want *= d.Size
	}
	if have == want {
		return ""
	}
	return fmt.Sprintf(": %d numbers an example, and the model takes %d", have, want)
}

// fits checks a fed tensor against the declaration of its input. Where batched, axis 0 may differ if free says so.
func fits(t *tensor.Tensor, info *graph.Info, batched bool, free func() bool) error {
	if t.DType() != info.DType {
		return fmt.Errorf("has type %v, want %v", t.DType(), info.DType)
	}
	if info.Dims == nil {
		return nil
	}
	if t.Rank() != len(info.Dims) {
		return fmt.Errorf("%w: has shape %v, want %d axes as in %v%s", ErrShape, t.Shape(), len(info.Dims),
			IO{info.Name, info.DType, info.Dims}, otherCount(t, info))
	}
	for i, d := range info.Dims {
		if d.Size < 0 || t.Dim(i) == d.Size || i == 0 && batched && free() {
			continue
		}
		hint := ""
		if i == 0 && batched {
			hint = fmt.Sprintf(" (the model was exported for batches of %d and takes no others: feed %d at a time)", d.Size, d.Size)
		}
		return fmt.Errorf("%w: has shape %v, want %v%s", ErrShape, t.Shape(), IO{info.Name, info.DType, info.Dims}, hint)
	}
	return nil
}

// SetSeed makes the dropout masks of the next run depend on v alone, also where it is what it was. Each run after that draws others.
func (s *Session) SetSeed(v int64) {
	if s.seed != nil {
		s.seed.I64()[0], s.seed.I64()[1] = v, 0
	}
}

// Feeds are the names of the tensors that Run takes.
func (s *Session) Feeds() []string { return s.feeds }

// ArenaBytes is the memory that the last run's plan uses for computed values.
func (s *Session) ArenaBytes() int {
	if s.prog == nil {
		return 0
	}
	return s.prog.ArenaBytes()
}

// Shape is the shape of a value of the compiled graph in the last run, nil where it was not computed. Trace may ask for what its node reads
// and writes.
func (s *Session) Shape(v graph.Value) tensor.Shape {
	if s.prog == nil {
		return nil
	}
	return s.prog.Shape(v)
}

// Graph is the compiled graph, for inspection; nil once the model is closed.
func (s *Session) Graph() *graph.Graph {
	if s.prog == nil {
		return nil
	}
	return s.prog.Graph()
}

func (r *Result) get(key string) *tensor.Tensor {
	if r.run != r.s.runs.Load() {
		return nil
	}
	if i, ok := r.s.slot[key]; ok {
		return r.out[i]
	}
	return nil
}

// Value is a fetched value, nil when it was not asked for.
func (r *Result) Value(name string) *tensor.Tensor { return r.get("v:" + name) }

// Grad is the gradient by name, nil when it was not asked for or is zero because the loss does not depend on it.
func (r *Result) Grad(name string) *tensor.Tensor { return r.get("g:" + name) }

// Norm2 is the squared norm of the gradient by parameter name of each example, [N].
func (r *Result) Norm2(name string) *tensor.Tensor { return r.get("n:" + name) }

// TotalNorm2 is the sum of Norm2 over all parameters that were asked for, [N].
func (r *Result) TotalNorm2() *tensor.Tensor { return r.get("norm2") }

// Loss is the value of the loss.
func (r *Result) Loss() *tensor.Tensor { return r.get("loss") }
