package engine

import (
	"context"
	"errors"
	"fmt"
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
}

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
type Query struct {
	Fetch      []string                        // values of the forward graph; empty with no loss means the outputs
	Loss       Loss                            // what is differentiated; its value is Result.Loss
	Grad       []string                        // parameters, inputs or inner values to differentiate by
	PerExample []string                        // parameters of which the squared gradient norm of each example is wanted
	Override   func(n *graph.Node) grad.Rule   // replaces gradient rules
	Derive     func(b *Build) (Outputs, error) // adds further values to fetch, after the gradients
	BN         BNMode
	Dropout    bool // train with dropout where the model has it
}

// Outputs are values to fetch under names of their own.
type Outputs map[string]graph.Value

// Session is a compiled query. It is not safe for concurrent use.
type Session struct {
	// Trace, when set, is called after each node with the time it took.
	Trace func(n *graph.Node, d time.Duration)

	m     *Model
	q     Query
	prog  *exec.Program
	gen   int
	feeds []string       // names of the graph's inputs
	slot  map[string]int // what is fetched, by key: "v:name", "g:name", "n:name", "loss"
	state []update
	none  map[string]bool // gradients that are zero
	seed  *tensor.Tensor  // of the dropout masks, nil without dropout
}

// update copies a fetched value into a parameter after each run.
type update struct {
	slot int
	into *tensor.Tensor
}

// Session derives, rewrites and compiles what q asks for.
func (m *Model) Session(q Query) (*Session, error) {
	s := &Session{m: m, q: q}
	return s, s.build()
}

func (s *Session) training() bool {
	return len(s.q.Grad) > 0 || len(s.q.PerExample) > 0 || s.q.BN == BNTrain || s.q.Dropout
}

// build derives and compiles the graph of the query.
func (s *Session) build() error {
	g, fetch, err := s.derive()
	if err != nil {
		return err
	}
	if s.training() {
		rewrite.FuseTraining(g, fetch)
	} else {
		rewrite.FuseInference(g, fetch)
	}
	rewrite.Dead(g, fetch)
	s.feeds = nil
	for _, v := range g.Inputs {
		s.feeds = append(s.feeds, g.Info(v).Name)
	}
	s.prog, err = exec.Compile(g, fetch, s.m.pool)
	return err
}

// derive makes the graph of the query, before fusion, and the values to fetch.
func (s *Session) derive() (*graph.Graph, []graph.Value, error) {
	m, q := s.m, s.q
	s.gen = m.gen
	g := m.g.Clone()
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
	if q.BN == BNTrain {
		if len(q.PerExample) > 0 {
			return nil, nil, errors.New("engine: per-example gradients do not exist with batch normalisation in training mode, which mixes the examples: freeze it")
		}
		for _, u := range rewrite.TrainBatchNorm(g) {
			want("s:"+g.Info(u.Param).Name, u.Value)
			s.state = append(s.state, update{len(fetch) - 1, g.Info(u.Param).Data})
		}
	}
	if q.Dropout {
		s.seed = rewrite.TrainDropout(g)
	}
	b := &Build{Builder: graph.NewBuilder(g), m: m, feeds: map[string]graph.Value{}}
	for _, v := range g.Inputs {
		b.feeds[g.Info(v).Name] = v
	}
	if q.Loss != nil {
		loss, err := q.Loss(b)
		if err != nil {
			return nil, nil, fmt.Errorf("engine: loss: %w", err)
		}
		if err := b.Err(); err != nil {
			return nil, nil, fmt.Errorf("engine: loss: %w", err)
		}
		want("loss", loss)
		if err := s.differentiate(g, loss, want); err != nil {
			return nil, nil, err
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
		for name, v := range outs {
			want("v:"+name, v)
		}
	}
	if !s.training() {
		rewrite.Freeze(g)
		if err := rewrite.Fold(g); err != nil {
			return nil, nil, fmt.Errorf("engine: %w", err)
		}
	}
	g.Outputs = nil
	rewrite.Merge(g, fetch)
	rewrite.Dead(g, fetch)
	return g, fetch, nil
}

// differentiate adds what q asks of the gradient of loss.
func (s *Session) differentiate(g *graph.Graph, loss graph.Value, want func(string, graph.Value)) error {
	q := s.q
	opt := grad.Options{Override: q.Override}
	if len(q.Grad) > 0 {
		wrt := make([]graph.Value, len(q.Grad))
		for i, name := range q.Grad {
			v, err := s.m.value(name)
			if err != nil {
				return err
			}
			wrt[i] = v
		}
		ds, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, loss)}, wrt, opt)
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
	if len(q.PerExample) > 0 {
		wrt := make([]graph.Value, len(q.PerExample))
		for i, name := range q.PerExample {
			p, err := s.m.Param(name)
			if err != nil {
				return err
			}
			wrt[i] = p.value
		}
		ns, err := grad.PerExample(g, []grad.Seed{grad.Ones(g, loss)}, wrt, opt)
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
	}
	return nil
}

// Result is what a run computed. Its tensors are valid until the next run of the session.
type Result struct {
	s   *Session
	out []*tensor.Tensor
}

// Run feeds the inputs by name. It checks what is fed against the model's inputs.
func (s *Session) Run(ctx context.Context, feeds map[string]*tensor.Tensor) (*Result, error) {
	if s.gen != s.m.gen && !s.training() {
		if err := s.build(); err != nil {
			return nil, err
		}
	}
	g := s.prog.Graph()
	in := make([]*tensor.Tensor, len(s.feeds))
	for i, name := range s.feeds {
		t, ok := feeds[name]
		if !ok {
			return nil, fmt.Errorf("engine: input %q is not given", name)
		}
		info := g.Info(g.Inputs[i])
		if info.Dims != nil && len(info.Dims) == 0 && t.Len() == 1 {
			t = t.Reshape() // one number where a scalar is declared
		}
		if err := fits(t, info, i == 0 && s.m.batch1); err != nil {
			return nil, fmt.Errorf("engine: input %q: %w", name, err)
		}
		in[i] = t
	}
	for name := range feeds {
		found := false
		for _, f := range s.feeds {
			found = found || f == name
		}
		if !found {
			return nil, fmt.Errorf("engine: the model has no input %q%s", name, hint(name, s.feeds))
		}
	}
	s.prog.Trace = s.Trace
	out, err := s.prog.Run(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, u := range s.state {
		copy(u.into.Bytes(), out[u.slot].Bytes())
	}
	return &Result{s, out}, nil
}

// ErrShape is the error of feeding a tensor whose shape the model's input does not admit.
var ErrShape = errors.New("shape does not fit")

// fits checks a fed tensor against the declaration of its input; freeBatch lets axis 0 differ from a declared 1.
func fits(t *tensor.Tensor, info *graph.Info, freeBatch bool) error {
	if t.DType() != info.DType {
		return fmt.Errorf("has type %v, want %v", t.DType(), info.DType)
	}
	if info.Dims == nil {
		return nil
	}
	if t.Rank() != len(info.Dims) {
		return fmt.Errorf("%w: has shape %v, want %d axes as in %v", ErrShape, t.Shape(), len(info.Dims), IO{info.Name, info.DType, info.Dims})
	}
	for i, d := range info.Dims {
		if d.Size >= 0 && t.Dim(i) != d.Size && !(i == 0 && freeBatch) {
			return fmt.Errorf("%w: has shape %v, want %v", ErrShape, t.Shape(), IO{info.Name, info.DType, info.Dims})
		}
	}
	return nil
}

// SetSeed makes the dropout masks of the next run depend on v alone. Without a call each run draws others.
func (s *Session) SetSeed(v int64) {
	if s.seed != nil {
		s.seed.I64()[0] = v
	}
}

// Feeds are the names of the tensors that Run takes.
func (s *Session) Feeds() []string { return s.feeds }

// ArenaBytes is the memory that the last run's plan uses for computed values.
func (s *Session) ArenaBytes() int { return s.prog.ArenaBytes() }

// Graph is the compiled graph, for inspection.
func (s *Session) Graph() *graph.Graph { return s.prog.Graph() }

func (r *Result) get(key string) *tensor.Tensor {
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
