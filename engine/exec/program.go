// Package exec runs a graph: it infers shapes for the concrete shapes of the inputs, plans the memory of every
// value before running, and then calls the kernels one after the other. Plans are cached by input shapes.
//
// exec knows operators only by what their graph.Spec says.
package exec

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
	"unsafe"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// maxPlans is how many input-shape combinations a Program keeps planned: training, its last batch, evaluation, and one to spare.
const maxPlans = 4

// Program is a graph compiled for a set of values to fetch. It is not safe for concurrent use.
type Program struct {
	// Trace, when set, is called after each node with the time it took.
	Trace func(n *graph.Node, d time.Duration)

	// Special, when set, makes the graph of each plan. It is set before the first run, and not for bodies.
	Special Specialize

	g      *graph.Graph
	fetch  []graph.Value
	pool   *parallel.Pool
	bodies map[*graph.Node][]*Program
	plans  []*plan                     // most recently used first
	kept   map[graph.Value]*graph.Kept // of constants, for all plans
	arena  []byte
	isBody bool

	trains  bool // has gradients
	running bool
	purse   *purse        // shared with its bodies
	grant   *memory.Grant // of the arena
}

// Compile prepares g for running; fetch are the values that Run returns.
// The graph must not change afterwards.
func Compile(g *graph.Graph, fetch []graph.Value, pool *parallel.Pool) (*Program, error) {
	return newProgram(g, fetch, pool, new(purse))
}

func newProgram(g *graph.Graph, fetch []graph.Value, pool *parallel.Pool, u *purse) (*Program, error) {
	p := &Program{g: g, fetch: slices.Clone(fetch), pool: pool, bodies: map[*graph.Node][]*Program{}, kept: map[graph.Value]*graph.Kept{},
		purse: u}
	u.programs = append(u.programs, p)
	for _, n := range g.Nodes {
		p.trains = p.trains || n.For != nil
		if !n.Op.HasRun() {
			return nil, fmt.Errorf("exec: %s has no kernel", n.Label())
		}
		for _, b := range n.Bodies {
			sub, err := newProgram(b.G, b.G.Outputs, pool, u)
			if err != nil {
				return nil, fmt.Errorf("exec: %s: %s: %w", n.Label(), b.Attr, err)
			}
			sub.isBody = true
			p.bodies[n] = append(p.bodies[n], sub)
		}
	}
	return p, nil
}

// Graph is the compiled graph, as the last run ran it.
func (p *Program) Graph() *graph.Graph {
	if len(p.plans) > 0 {
		return p.plans[0].g
	}
	return p.g
}

// ArenaBytes is the memory planned for values that are not fed, constant or parameters, for the plan used last.
func (p *Program) ArenaBytes() int { return len(p.arena) }

// Shape is the shape of v in the last run, nil where it was not computed.
func (p *Program) Shape(v graph.Value) tensor.Shape {
	if len(p.plans) == 0 {
		return nil
	}
	pl := p.plans[0]
	if t := pl.vals[v]; pl.shape[v] == nil && t != nil { // only the run knew
		return t.Shape()
	}
	return pl.shape[v]
}

// Kept is how many constants kernels have brought to forms of their own so far, each form counted, those of bodies too.
func (p *Program) Kept() int {
	n := 0
	for _, k := range p.kept {
		n += k.Forms()
	}
	for _, bodies := range p.bodies {
		for _, b := range bodies {
			n += b.Kept()
		}
	}
	return n
}

// NodeError is an error of running or planning one node.
type NodeError struct {
	Node *graph.Node
	Err  error
	In   []string // types and shapes of the inputs
}

// Error is for example `node "conv1" (Conv) with inputs float32[1,3,8,8], …: reason`.
func (e *NodeError) Error() string {
	s := e.Node.Label()
	if len(e.In) > 0 {
		s += " with inputs"
		for i, in := range e.In {
			if i > 0 {
				s += ","
			}
			s += " " + in
		}
	}
	return shown.Line(s, 1200) + ": " + shown.Line(e.Err.Error(), 1200)
}

// Unwrap is the reason.
func (e *NodeError) Unwrap() error { return e.Err }

// PanicError is a panic of a kernel: an error of this program, not of its input.
type PanicError struct {
	Value any
	Stack []byte
}

// Error is the value of the panic.
func (e *PanicError) Error() string { return fmt.Sprintf("internal error: %v", e.Value) }

// Run feeds the inputs of the graph in their order and returns the fetched values, which are valid until the next Run.
// ctx is checked between nodes, also while planning.
func (p *Program) Run(ctx context.Context, feeds []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return p.run(ctx, feeds, 0)
}

// run is Run with a limit of memory, which the body of a node has from its run; 0 means to find one, see limit.
func (p *Program) run(ctx context.Context, feeds []*tensor.Tensor, limit int) (out []*tensor.Tensor, err error) {
	if len(feeds) != len(p.g.Inputs) {
		return nil, fmt.Errorf("exec: %d inputs given, the graph has %d", len(feeds), len(p.g.Inputs))
	}
	for i, t := range feeds {
		in := p.g.Info(p.g.Inputs[i])
		if t == nil {
			return nil, fmt.Errorf("exec: input %q is missing", in.Name)
		}
		if t.DType() != in.DType {
			return nil, fmt.Errorf("exec: input %q has type %v, want %v", in.Name, t.DType(), in.DType)
		}
	}
	pl, err := p.planFor(ctx, feeds, limit)
	if err != nil {
		return nil, err
	}
	if !p.isBody {
		p.purse.limit = pl.limit
	}
	p.running = true
	defer func() { p.running = false }()
	var current *graph.Node
	defer func() {
		if v := recover(); v != nil {
			var e error = &PanicError{Value: v, Stack: debug.Stack()}
			if current != nil {
				e = &NodeError{Node: current, Err: e}
			}
			out, err = nil, fmt.Errorf("exec: %w", e)
		}
	}()
	if err := pl.bind(p); err != nil {
		return nil, fmt.Errorf("exec: %w", err)
	}
	p.forget(pl)
	vals := pl.vals
	for i, v := range p.g.Inputs {
		vals[v] = feeds[i]
	}
	w, err := p.watch(pl)
	if err != nil {
		return nil, err
	}
	for i := range pl.steps {
		st := &pl.steps[i]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		current = st.node
		var t0 time.Time
		if p.Trace != nil {
			t0 = time.Now()
		}
		err := p.step(ctx, pl, st)
		if err == nil {
			err = w.after(i)
		}
		if err != nil {
			if _, nested := errors.AsType[*NodeError](err); nested {
				return nil, err
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("exec: %w", &NodeError{Node: st.node, Err: err, In: describe(st.rc.In)})
		}
		if p.Trace != nil {
			p.Trace(st.node, time.Since(t0))
		}
		if st.dynamic {
			p.drop(pl, i)
		}
	}
	current = nil
	if err := w.end(); err != nil {
		return nil, err
	}
	out = make([]*tensor.Tensor, len(p.fetch))
	for i, v := range p.fetch {
		out[i] = vals[v]
		if p.isBody && (pl.rootIsInput(v) || p.pins(out[i])) {
			out[i] = vals[v].Clone() // the caller reuses the storage of what it fed
		}
	}
	return out, nil
}

// pins reports whether t would keep a much larger arena in memory when p gives it up.
func (p *Program) pins(t *tensor.Tensor) bool {
	if len(p.arena) < memory.Small || len(t.Bytes()) > len(p.arena)/4 {
		return false
	}
	at, from := uintptr(unsafe.Pointer(unsafe.SliceData(t.Bytes()))), uintptr(unsafe.Pointer(&p.arena[0]))
	return at-from < uintptr(len(p.arena))
}

func describe(in []*tensor.Tensor) []string {
	var s []string
	for _, t := range in {
		if t != nil {
			s = append(s, t.String())
		} else {
			s = append(s, "-")
		}
	}
	return s
}

// step runs one node of a plan.
func (p *Program) step(ctx context.Context, pl *plan, st *step) error {
	n, rc := st.node, &st.rc
	for i, v := range n.In {
		if v != 0 {
			rc.In[i] = pl.vals[v]
		}
	}
	if st.view && !st.dynamic {
		pl.vals[n.Out[0]] = rc.In[0].Reshape(st.shape...)
		return nil
	}
	rc.Context, rc.Pool, rc.Limit, rc.Holds = ctx, p.pool, pl.limit, p.purse.holds
	defer rc.Done()
	if subs := pl.bodies[n]; subs != nil {
		rc.Body = func(i int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			at := n.FirstCaptured(i)
			feeds := append(slices.Clone(in), rc.In[at:at+n.Bodies[i].NumCaptured()]...)
			return subs[i].run(ctx, feeds, pl.limit)
		}
	}
	if !st.dynamic {
		for i, v := range n.Out {
			if v != 0 {
				rc.Out[i] = pl.vals[v]
			}
		}
		if st.empty {
			return nil
		}
		return n.Op.Run(n.Attrs, rc)
	}
	return p.dynamicStep(pl, st)
}

// dynamicStep runs a node whose output shapes the plan could not know.
func (p *Program) dynamicStep(pl *plan, st *step) error {
	n, rc := st.node, &st.rc
	ops := make([]graph.Operand, len(n.In))
	for i, t := range rc.In {
		if t != nil {
			ops[i] = graph.Operand{Present: true, DType: t.DType(), Shape: t.Shape(), Value: t}
		}
	}
	ic := graph.NewInferCtx(n, ops[:n.NumIn], p.pool.Threads())
	err := n.Op.Infer(n.Attrs, ic)
	clear(rc.Out)
	switch {
	case errors.Is(err, graph.ErrAtRun):
	case err != nil:
		return err
	default:
		shapes, values, scratch := ic.Result()
		if n.Op.View {
			pl.vals[n.Out[0]] = rc.In[0].Reshape(shapes[0]...)
			return nil
		}
		if scratch > pl.limit || scratch < 0 {
			return &MemoryError{What: "working memory", Need: scratch, Limit: pl.limit}
		}
		if len(rc.Scratch) < scratch {
			t, err := tensor.Make("its working memory", tensor.Uint8, scratch)
			if err != nil {
				return err
			}
			rc.Scratch = t.Bytes()
		}
		known, empty, bytes := true, true, 0
		for i, v := range n.Out {
			switch {
			case v == 0:
			case values[i] != nil:
				rc.Out[i] = values[i]
			default:
				known = false
				d := pl.g.Info(v).DType
				if err := p.fitsBeside(pl, d, shapes[i], bytes); err != nil {
					return err
				}
				bytes += storage(d, shapes[i])
				if rc.Out[i], err = tensor.Make(fmt.Sprintf("its output of shape %v", shapes[i]), d, shapes[i]...); err != nil {
					return err
				}
				empty = empty && rc.Out[i].Len() == 0
			}
		}
		if known || empty {
			for i, v := range n.Out {
				if v != 0 {
					p.keep(pl, v, rc.Out[i])
				}
			}
			return nil
		}
	}
	if err := n.Op.Run(n.Attrs, rc); err != nil {
		return err
	}
	for i, v := range n.Out {
		if v == 0 {
			continue
		}
		if rc.Out[i] == nil {
			return fmt.Errorf("kernel did not make output %d", i)
		}
		if have, want := rc.Out[i].DType(), pl.g.Info(v).DType; have != want {
			return fmt.Errorf("output %d is of type %v, want %v: the bodies differ", i, have, want)
		}
		p.keep(pl, v, rc.Out[i])
	}
	return nil
}

// aligned is n bytes on a cache-line boundary.
func aligned(n int) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n+63)
	off := int(-uintptr(unsafe.Pointer(&b[0])) & 63)
	return b[off : off+n : off+n]
}
