package exec

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// foldLimit is the size, in elements, up to which a plan computes outputs of constant inputs once: shape arithmetic.
const foldLimit = 1 << 16

// plan is a program made concrete for one combination of input shapes.
type plan struct {
	key    []tensor.Shape
	steps  []step
	vals   []*tensor.Tensor // by graph.Value
	root   []graph.Value    // the value whose storage a value shares; itself when it has its own
	slots  []slot           // storage in the arena
	size   int              // of the arena
	base   *byte            // arena that vals and scratch point into
	shape  []tensor.Shape   // by graph.Value, nil when only the run knows
	g      *graph.Graph
	bodies map[*graph.Node][]*Program

	kept    map[graph.Value]*graph.Kept // of what is constant for these shapes only
	limit   int                         // bytes that a run may use
	dynamic int                         // bytes that the present run made beside the arena
	folded  int                         // bytes that were computed ahead
}

// step is one node to run.
type step struct {
	node    *graph.Node
	rc      graph.RunCtx
	cache   any
	view    bool
	dynamic bool
	empty   bool          // every output has no elements: nothing to compute
	shape   tensor.Shape  // of a view
	scratch int           // index in plan.slots, or -1
	last    []graph.Value // beside the arena that it reads or makes and no later step reads
}

// slot is a range of the arena that lives from one step to another.
type slot struct {
	value      graph.Value // 0 for scratch
	bytes      int
	start, end int
	offset     int
}

func (p *Program) planFor(ctx context.Context, feeds []*tensor.Tensor, limit int) (*plan, error) {
	for i, pl := range p.plans {
		same := true
		for k, t := range feeds {
			if !pl.key[k].Equal(t.Shape()) {
				same = false
				break
			}
		}
		if same {
			if i > 0 {
				copy(p.plans[1:i+1], p.plans[:i])
				p.plans[0] = pl
			}
			return pl, nil
		}
	}
	shapes := make([]tensor.Shape, len(feeds))
	for i, t := range feeds {
		shapes[i] = slices.Clone(t.Shape())
	}
	if limit == 0 {
		limit = p.limit(ctx, shapes)
	}
	if len(p.plans) == maxPlans {
		old := p.plans[maxPlans-1]
		p.forget(old)
		p.purse.folded -= old.folded
		p.plans = p.plans[:maxPlans-1]
	}
	pl, err := p.newPlan(ctx, shapes, limit)
	if err != nil {
		return nil, err
	}
	p.purse.folded += pl.folded
	p.plans = slices.Insert(p.plans, 0, pl)
	return pl, nil
}

// newPlan is the plan for inputs of the given shapes.
func (p *Program) newPlan(ctx context.Context, shapes []tensor.Shape, limit int) (*plan, error) {
	pl, err := p.planOf(ctx, p.g, shapes, limit)
	if err == nil && p.Special != nil {
		pl, err = p.special(ctx, pl, limit)
	}
	if err != nil {
		return nil, err
	}
	return pl, pl.fits(limit)
}

// planOf infers the shapes of the values of g and lays out the memory.
func (p *Program) planOf(ctx context.Context, g *graph.Graph, shapes []tensor.Shape, limit int) (*plan, error) {
	inf := newInference(g, p.pool.Threads())
	inf.fold, inf.limit, inf.folded = true, limit, p.purse.folded
	for i, v := range g.Inputs {
		inf.shape[v] = known(shapes[i])
	}
	pl := &plan{key: shapes, g: g, bodies: p.bodies, limit: limit, vals: inf.value, shape: inf.shape, root: make([]graph.Value, g.NumValues())}
	pl.kept = map[graph.Value]*graph.Kept{}
	for i := range pl.root {
		pl.root[i] = graph.Value(i)
	}
	asked := asked(g, p.fetch)
	for _, n := range g.Nodes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := inf.node(n)
		if err != nil {
			return nil, fmt.Errorf("exec: %w", err)
		}
		if r.known {
			continue
		}
		st := step{node: n, view: n.Op.View || r.same && !r.dynamic && pl.shares(n, asked), dynamic: r.dynamic, scratch: -1}
		st.rc = graph.RunCtx{Node: n, In: make([]*tensor.Tensor, len(n.In)), Out: make([]*tensor.Tensor, len(n.Out))}
		st.rc.Reserve = p.reserve
		st.rc.Constant = func(i int) *graph.Kept {
			switch v := n.In[i]; {
			case v == 0 || !inf.constant[v]:
				return nil
			case g.Info(v).Kind == graph.Constant:
				return place(p.kept, v)
			default: // the same for these shapes
				return place(pl.kept, v)
			}
		}
		st.empty = !r.dynamic && slices.IndexFunc(n.Out, func(v graph.Value) bool { return v != 0 && inf.shape[v].Len() > 0 }) < 0
		if st.view {
			pl.root[n.Out[0]] = pl.root[n.In[0]]
			st.shape = inf.shape[n.Out[0]]
		}
		if r.scratch > 0 && !r.dynamic {
			st.scratch = len(pl.slots)
			pl.slots = append(pl.slots, slot{bytes: r.scratch, start: len(pl.steps), end: len(pl.steps)})
		}
		pl.steps = append(pl.steps, st)
	}
	for i := range pl.steps {
		pl.steps[i].rc.Cache = &pl.steps[i].cache
	}
	pl.folded = inf.folded - p.purse.folded
	pl.layout(p.fetch)
	return pl, nil
}

// asked marks what is fetched, and what that is a view of.
func asked(g *graph.Graph, fetch []graph.Value) []bool {
	marks := make([]bool, g.NumValues())
	for _, v := range fetch {
		marks[v] = true
	}
	for _, n := range slices.Backward(g.Nodes) {
		if n.Op.View && marks[n.Out[0]] {
			marks[n.In[0]] = true
		}
	}
	return marks
}

// shares reports whether output 0 of n, which is the same as input 0, may have its storage: that is in the arena, and whoever gets the
// output may change it without changing another result.
func (pl *plan) shares(n *graph.Node, asked []bool) bool {
	return !n.Frozen && !asked[n.Out[0]] && pl.g.Info(pl.root[n.In[0]]).Kind == graph.Computed
}

// place is the entry of v, made when it is missing.
func place(m map[graph.Value]*graph.Kept, v graph.Value) *graph.Kept {
	k := m[v]
	if k == nil {
		k = new(graph.Kept)
		m[v] = k
	}
	return k
}

// layout gives every value that a static step computes its place in the arena.
func (pl *plan) layout(fetch []graph.Value) {
	g := pl.g
	last, named := make([]int, len(pl.root)), make([]int, len(pl.root)) // last step that reads the storage of a root, or its shape
	for i := range last {
		last[i], named[i] = -1, -1
	}
	for i := range pl.steps {
		st := &pl.steps[i]
		for k, v := range st.node.In {
			if v == 0 {
				continue
			}
			named[pl.root[v]] = i
			if !st.shapeOnly(k) {
				last[pl.root[v]] = i
			}
		}
	}
	fetched := make([]bool, len(pl.root))
	for _, v := range fetch {
		last[pl.root[v]], named[pl.root[v]] = len(pl.steps), len(pl.steps)
		fetched[pl.root[v]] = true
	}
	pl.lasts(named)
	slotOf := make([]int, len(pl.root)) // slot that holds the storage of a root, plus one
	for i := range pl.steps {
		st := &pl.steps[i]
		if st.dynamic || st.view {
			continue
		}
		n := st.node
		for o, v := range n.Out {
			if v == 0 || g.Info(v).DType == tensor.String {
				continue
			}
			d := g.Info(v).DType
			bytes := d.Size(pl.shape[v].Len())
			if s := pl.reuse(st, i, o, v, bytes, last, fetched, slotOf); s > 0 {
				slotOf[v] = s
				pl.slots[s-1].end = max(pl.slots[s-1].end, last[v], i)
				continue
			}
			pl.slots = append(pl.slots, slot{value: v, bytes: bytes, start: i, end: max(last[v], i)})
			slotOf[v] = len(pl.slots)
		}
	}
	pl.place()
	for v, s := range slotOf {
		if s > 0 && pl.slots[s-1].value != graph.Value(v) {
			pl.slots = append(pl.slots, slot{value: graph.Value(v), bytes: pl.slots[s-1].bytes, offset: pl.slots[s-1].offset, start: -1})
		}
	}
}

// shapeOnly reports whether the step reads no more of input k of its node than the shape, which static steps know from the plan.
func (st *step) shapeOnly(k int) bool {
	return !st.dynamic && k < st.node.NumIn && !st.node.Op.Reads(k)
}

// lasts notes for each step which values of dynamic steps, no views, are not read after it; last is the last step that reads each.
func (pl *plan) lasts(last []int) {
	for i := range pl.steps {
		st := &pl.steps[i]
		if !st.dynamic || st.view {
			continue
		}
		for _, v := range st.node.Out {
			if at := max(i, last[v]); v != 0 && at < len(pl.steps) {
				pl.steps[at].last = append(pl.steps[at].last, v)
			}
		}
	}
}

// reuse finds the slot of an input that output o of st, step i, can overwrite; 0 when there is none.
func (pl *plan) reuse(st *step, i, o int, v graph.Value, bytes int, last []int, fetched []bool, slotOf []int) int {
	n := st.node
	if n.Frozen {
		return 0
	}
	for _, pair := range n.Op.InPlace {
		if pair[1] != o || pair[0] >= n.NumIn {
			continue
		}
		in := n.In[pair[0]]
		if in == 0 {
			continue
		}
		r := pl.root[in]
		s := slotOf[r]
		if s == 0 || last[r] != i || fetched[r] || pl.shape[in] == nil || pl.g.Info(in).DType.Size(pl.shape[in].Len()) != bytes {
			continue
		}
		if pl.slots[s-1].end > i || pl.slots[s-1].bytes != bytes {
			continue // another value shares the slot and lives on
		}
		shared := false
		for k, w := range n.In {
			if w != 0 && k != pair[0] && !st.shapeOnly(k) && slotOf[pl.root[w]] == s {
				shared = true
			}
		}
		for _, w := range n.Out[:o] {
			if w != 0 && slotOf[w] == s {
				shared = true
			}
		}
		if !shared {
			return s
		}
	}
	return 0
}

// bind points the values of the plan into the program's arena, which it enlarges where needed.
func (pl *plan) bind(p *Program) error {
	if len(p.arena) < pl.size {
		if err := p.grow(pl.size, pl.largest); err != nil {
			return err
		}
	}
	var base *byte
	if len(p.arena) > 0 {
		base = &p.arena[0]
	}
	if pl.base == base && base != nil {
		return nil
	}
	pl.base = base
	for i := range pl.slots {
		s := &pl.slots[i]
		if s.value == 0 {
			continue
		}
		t, err := tensor.FromBytes(pl.g.Info(s.value).DType, pl.shape[s.value], p.arena[s.offset:s.offset+s.bytes:s.offset+s.bytes])
		if err != nil {
			panic(err)
		}
		pl.vals[s.value] = t
	}
	for i := range pl.steps {
		st := &pl.steps[i]
		if st.scratch >= 0 {
			s := &pl.slots[st.scratch]
			st.rc.Scratch = p.arena[s.offset : s.offset+s.bytes : s.offset+s.bytes]
		}
		for o, v := range st.node.Out {
			if v != 0 && !st.dynamic && !st.view && pl.g.Info(v).DType == tensor.String {
				t, err := tensor.Make(fmt.Sprintf("the output of %s", st.node.Label()), tensor.String, pl.shape[v]...)
				if err != nil {
					return err
				}
				pl.vals[v], st.rc.Out[o] = t, t
			}
		}
	}
	return nil
}

// rootIsInput reports whether v shares the storage of an input of the graph.
func (pl *plan) rootIsInput(v graph.Value) bool {
	return pl.g.Info(pl.root[v]).Kind == graph.Input
}

// Shapes is the shape of every value for the given input shapes, in the order of g.Inputs; nil where only a run can tell.
// Values whose content follows from shapes and constants are in values.
func Shapes(g *graph.Graph, inputs []tensor.Shape) (shapes []tensor.Shape, values []*tensor.Tensor, err error) {
	inf := newInference(g, 1)
	inf.fold = true
	for i, v := range g.Inputs {
		inf.shape[v] = known(inputs[i])
	}
	for _, n := range g.Nodes {
		if _, err := inf.node(n); err != nil {
			return inf.shape, inf.value, fmt.Errorf("exec: %w", err)
		}
	}
	return inf.shape, inf.value, nil
}

// inference is what planning knows of the values so far.
type inference struct {
	g        *graph.Graph
	shape    []tensor.Shape
	value    []*tensor.Tensor // content of constants, parameters and what was folded
	constant []bool           // value is the same in every run
	threads  int
	fold     bool
	folded   int // bytes computed ahead so far
	limit    int // bytes of the largest value
}

func newInference(g *graph.Graph, threads int) *inference {
	k := g.NumValues()
	inf := &inference{g: g, shape: make([]tensor.Shape, k), value: make([]*tensor.Tensor, k), constant: make([]bool, k), threads: threads,
		limit: MaxValueBytes}
	for v, in := range g.Values {
		if in.Data != nil {
			inf.shape[v], inf.value[v], inf.constant[v] = known(in.Data.Shape()), in.Data, in.Kind == graph.Constant
		}
	}
	return inf
}

// known is s, made non-nil: nil stands for a shape that is not known.
func known(s tensor.Shape) tensor.Shape {
	if s == nil {
		return tensor.Shape{}
	}
	return s
}

type inferred struct {
	known   bool // every output is a constant now
	dynamic bool // shapes are for the run to find
	scratch int
	same    bool // output 0 is what input 0 is
}

// node infers the outputs of n, and computes them when they follow from constants.
func (inf *inference) node(n *graph.Node) (r inferred, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &NodeError{Node: n, Err: &PanicError{Value: v, Stack: debug.Stack()}}
		}
	}()
	ops := make([]graph.Operand, len(n.In))
	allConst := true
	for i, v := range n.In {
		if v == 0 {
			continue
		}
		if inf.shape[v] == nil {
			return inferred{dynamic: true}, nil
		}
		ops[i] = graph.Operand{Present: true, DType: inf.g.Info(v).DType, Shape: inf.shape[v]}
		if inf.constant[v] {
			ops[i].Value = inf.value[v]
		} else {
			allConst = false
		}
	}
	ic := graph.NewInferCtx(n, ops[:n.NumIn], inf.threads)
	err = n.Op.Infer(n.Attrs, ic)
	if errors.Is(err, graph.ErrNeedsValue) || errors.Is(err, graph.ErrAtRun) {
		return inferred{dynamic: true}, nil
	}
	if err != nil {
		return r, &NodeError{Node: n, Err: err, In: describeOperands(ops)}
	}
	shapes, values, scratch := ic.Result()
	if scratch < 0 || scratch > inf.limit {
		return r, &NodeError{Node: n, Err: &MemoryError{What: "working memory", Need: scratch, Limit: inf.limit},
			In: describeOperands(ops)}
	}
	total, bytes, all := 0, 0, true
	for i, v := range n.Out {
		if v == 0 {
			continue
		}
		if shapes[i] == nil {
			return r, &NodeError{Node: n, Err: fmt.Errorf("shape rule gave no shape for output %d", i)}
		}
		if err := checkSize(shapes[i], inf.g.Info(v).DType, inf.limit); err != nil {
			return r, &NodeError{Node: n, Err: err, In: describeOperands(ops)}
		}
		inf.shape[v] = shapes[i]
		total += shapes[i].Len()
		bytes += storage(inf.g.Info(v).DType, shapes[i])
		if values[i] != nil {
			inf.value[v], inf.constant[v] = values[i], true
		} else {
			all = false
		}
	}
	if all {
		return inferred{known: true}, nil
	}
	if inf.fold && allConst && !n.Op.Random && len(n.Bodies) == 0 && total <= foldLimit && inf.folded+bytes <= foldBytes && n.Op.HasRun() {
		inf.folded += bytes
		if err := inf.compute(n); err != nil {
			return r, &NodeError{Node: n, Err: err, In: describeOperands(ops)}
		}
		return inferred{known: true}, nil
	}
	return inferred{scratch: scratch, same: ic.IsSame()}, nil
}

// compute runs n on constant inputs.
func (inf *inference) compute(n *graph.Node) error {
	in := make([]*tensor.Tensor, len(n.In))
	for i, v := range n.In {
		if v != 0 {
			in[i] = inf.value[v]
		}
	}
	out, err := graph.Evaluate(inf.g, n, in)
	if err != nil {
		return err
	}
	for i, v := range n.Out {
		if v != 0 {
			inf.value[v], inf.constant[v] = out[i], true
		}
	}
	return nil
}

func describeOperands(ops []graph.Operand) []string {
	var s []string
	for _, o := range ops {
		if o.Present {
			s = append(s, o.DType.String()+o.Shape.String())
		} else {
			s = append(s, "-")
		}
	}
	return s
}
