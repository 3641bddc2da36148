package rewrite

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// FreeBatch makes a copy of a graph that was exported for a batch of a fixed size take any size, and returns it; nil when it finds no way
// to. shapes are those of the inputs, in the order of g.Inputs, with the fixed size; batched tells which of them have the batch as their
// first axis.
//
// It follows the batch axis through the nodes by inferring every shape twice, for the fixed size and for three times as much. Where a node
// does not take that, or loses the batch, it changes what the exporter baked in: the target of a Reshape, by where the batch lies in
// memory; a class token or an initial state that was made for one example, which is repeated; sizes of a Resize and ends of a Slice. For
// the fixed size every value keeps its shape. Every output must have the batch as its first axis.
//
// Shapes are no proof that examples do not mix: a maximum over all axes, or a Reshape [S,N,E] to [1,S·N·E], may go through. The caller
// must compare values.
func FreeBatch(g *graph.Graph, shapes []tensor.Shape, batched []bool) *graph.Graph {
	var choices []int
	for work := 0; work < maxWork; work += len(g.Nodes) + 1 {
		f, ok := newFreer(g, shapes, batched, choices)
		if !ok {
			return nil
		}
		if f.run() {
			if f.keeps(g, shapes) {
				return f.g
			}
		}
		// Another way at the last Reshape that had one.
		choices = f.taken
		for len(choices) > 0 && choices[len(choices)-1]+1 >= f.ways[len(choices)-1] {
			choices = choices[:len(choices)-1]
		}
		if len(choices) == 0 {
			return nil
		}
		choices[len(choices)-1]++
	}
	return nil
}

// maxWork bounds how many nodes FreeBatch goes through in all its attempts.
const maxWork = 1 << 16

// times is how many times the fixed size the batch is whose shapes are compared.
const times = 3

// freer is one attempt.
type freer struct {
	g         *graph.Graph
	b         *graph.Builder
	nodes     []*graph.Node // of the graph, to go through
	shapes    []tensor.Shape
	batched   []bool
	size      int             // fixed
	one, many *exec.Inference // for the fixed size, and for times as much
	outer     map[graph.Value]int
	count     graph.Value // the size of the batch, as a vector of one number
	choices   []int       // which way to take at each Reshape that has several
	taken     []int       // that were taken
	ways      []int       // that there were
}

func newFreer(g *graph.Graph, shapes []tensor.Shape, batched []bool, choices []int) (*freer, bool) {
	f := &freer{g: g.Clone(), shapes: shapes, batched: batched, outer: map[graph.Value]int{}, choices: choices}
	f.b = graph.NewBuilder(f.g)
	f.nodes, f.g.Nodes = f.g.Nodes, nil
	for i, v := range f.g.Inputs {
		if !batched[i] {
			continue
		}
		if len(shapes[i]) == 0 {
			return nil, false
		}
		f.size = shapes[i][0]
		f.outer[v] = 1
	}
	if f.size < 1 {
		return nil, false
	}
	f.one, f.many = exec.NewInference(f.g, shapes), exec.NewInference(f.g, f.sized(times*f.size))
	return f, true
}

// sized is the shapes of the inputs for a batch of n.
func (f *freer) sized(n int) []tensor.Shape {
	out := make([]tensor.Shape, len(f.shapes))
	for i, s := range f.shapes {
		out[i] = slices.Clone(s)
		if f.batched[i] {
			out[i][0] = n
		}
	}
	return out
}

// run goes through the nodes; false means that this attempt leads nowhere.
func (f *freer) run() bool {
	for _, n := range f.nodes {
		if f.one.Node(n) != nil || !f.node(n) || f.b.Err() != nil {
			return false
		}
		f.g.Nodes = append(f.g.Nodes, n)
		f.follow(n)
	}
	for _, v := range f.g.Outputs {
		if f.one.Shape(v) == nil || f.many.Shape(v) == nil {
			continue // a run will tell
		}
		if axis, ok := f.scaled(v); !ok || axis != 0 || f.one.Shape(v)[0] != f.size {
			return false
		}
	}
	return true
}

// keeps reports whether every value that was in the graph before has the same shape for the fixed size, and outputs follow other sizes.
func (f *freer) keeps(g *graph.Graph, shapes []tensor.Shape) bool {
	before, _, err := exec.Shapes(g, shapes)
	if err != nil {
		return false
	}
	after, _, err := exec.Shapes(f.g, shapes)
	if err != nil {
		return false
	}
	for _, n := range g.Nodes {
		for _, v := range n.Out {
			if v != 0 && !before[v].Equal(after[v]) {
				return false
			}
		}
	}
	for _, n := range []int{1, f.size + 1} {
		other, _, err := exec.Shapes(f.g, f.sized(n))
		if err != nil {
			return false
		}
		for _, v := range f.g.Outputs {
			if s := other[v]; s != nil && (len(s) == 0 || s[0] != n) {
				return false
			}
		}
	}
	return true
}

// scaled is the one axis of v that grows with the batch.
func (f *freer) scaled(v graph.Value) (axis int, ok bool) {
	if v == 0 {
		return 0, false
	}
	a, b := f.one.Shape(v), f.many.Shape(v)
	if a == nil || len(a) != len(b) {
		return 0, false
	}
	axis = -1
	for i := range a {
		switch {
		case a[i] == b[i]:
		case axis >= 0 || b[i] != times*a[i]:
			return 0, false
		default:
			axis = i
		}
	}
	return axis, axis >= 0
}

// follow notes for each output of n how many numbers along its batch axis lie before the batch: of the axis [S·N] of [S,N] reshaped, S.
func (f *freer) follow(n *graph.Node) {
	for _, v := range n.Out {
		axis, ok := f.scaled(v)
		if !ok {
			continue
		}
		size := f.one.Shape(v)[axis]
		f.outer[v] = 1
		for _, x := range n.In[:n.NumIn] {
			a, ok := f.scaled(x)
			if !ok {
				continue
			}
			if n.Op.View { // the same numbers in the same order
				if before := f.one.Shape(v)[:axis].Len(); f.before(x)%before == 0 {
					f.outer[v] = f.before(x) / before
				}
			} else if f.one.Shape(x)[a] == size {
				f.outer[v] = f.outer[x]
			}
			break
		}
	}
}

// before is how many numbers lie before the batch in memory, for one element of it.
func (f *freer) before(v graph.Value) int {
	axis, _ := f.scaled(v)
	return f.one.Shape(v)[:axis].Len() * max(1, f.outer[v])
}

// node makes n take any batch, if it can.
func (f *freer) node(n *graph.Node) bool {
	follows := slices.ContainsFunc(n.In[:n.NumIn], func(v graph.Value) bool { _, ok := f.scaled(v); return ok })
	if follows && n.Op.View && f.constTarget(n) {
		return f.reshape(n)
	}
	err := f.many.Node(n)
	if !follows {
		return err == nil
	}
	if err == nil && !f.loses(n) {
		return true
	}
	if f.repeat(n) || f.scaleInts(n) {
		return true
	}
	if err != nil {
		return false
	}
	return f.many.Node(n) == nil
}

// loses reports whether n moves or resamples a value with a batch and gives one without.
func (f *freer) loses(n *graph.Node) bool {
	if n.Op.Role != graph.Move && n.Op.Role != graph.Pool || len(n.Out) == 0 || n.Out[0] == 0 || f.many.Shape(n.Out[0]) == nil {
		return false
	}
	_, in := f.scaled(n.In[0])
	_, out := f.scaled(n.Out[0])
	return in && !out
}

// constTarget reports whether n is a Reshape to a constant shape, which it then is in its present version.
func (f *freer) constTarget(n *graph.Node) bool {
	if !ofOp(n, ops.Reshape) {
		return false
	}
	if n.NumIn == 1 { // the target is an attribute
		target, ok := graph.EncodeAttrs(n.Attrs)["shape"].([]int64)
		if !ok {
			return false
		}
		n.Op, n.Attrs, n.NumIn = ops.Reshape, ops.Reshape.NewAttrs(), 2
		n.In = []graph.Value{n.In[0], f.g.AddConst("shape", tensor.From(target, len(target)))}
	}
	in := f.g.Info(n.In[1])
	return in.Kind == graph.Constant && in.DType == tensor.Int64
}

// place is an axis of the output of a Reshape at which the batch can be, with the numbers of the axis that lie before it.
type place struct{ axis, outer int }

// places lists where the batch of in lies in an output of shape s, the likeliest first: an axis that is the batch, then one that has it at
// its begin, then one that has it further inside.
func (f *freer) places(in graph.Value, s tensor.Shape) []place {
	before := f.before(in)
	var exact, begin, inside []place
	for p, pre := 0, 1; p < len(s); p, pre = p+1, pre*s[p] {
		if pre == 0 || before%pre != 0 {
			continue
		}
		outer := before / pre
		switch {
		case s[p] == 0 || s[p]%(outer*f.size) != 0:
		case outer == 1 && s[p] == f.size:
			exact = append(exact, place{p, outer})
		case outer == 1:
			begin = append(begin, place{p, outer})
		default:
			inside = append(inside, place{p, outer})
		}
	}
	return slices.Concat(exact, begin, inside)
}

// reshape gives n, a Reshape of a value with a batch to a constant shape, a target that puts the batch where it lies in memory.
func (f *freer) reshape(n *graph.Node) bool {
	v := n.Out[0]
	ways := f.places(n.In[0], f.one.Shape(v))
	if len(ways) == 0 {
		return false
	}
	k := 0
	if len(ways) > 1 {
		if len(f.taken) < len(f.choices) {
			k = f.choices[len(f.taken)]
		}
		f.taken, f.ways = append(f.taken, k), append(f.ways, len(ways))
	}
	want := ways[k].axis
	at := func() bool {
		axis, ok := f.scaled(v)
		return ok && axis == want
	}
	if f.many.Node(n) == nil && at() {
		return true
	}
	old := n.In[1]
	target := slices.Clone(f.g.Info(old).Data.I64())
	if want >= len(target) {
		return false
	}
	rest := slices.Index(target, -1)
	var tries [][]int64
	with := func(val int64, fixRest bool) {
		t := slices.Clone(target)
		if fixRest && rest >= 0 {
			t[rest] = int64(f.one.Shape(v)[rest])
		}
		t[want] = val
		tries = append(tries, t)
	}
	if rest < 0 {
		with(-1, false)
	}
	with(0, false)
	if f.declared() {
		with(-1, true)
	}
	for _, t := range tries {
		n.In[1] = f.g.AddConst(f.g.Info(old).Name, tensor.From(t, len(t)))
		was := f.one.Shape(v)
		if f.one.Node(n) == nil && f.one.Shape(v).Equal(was) && f.many.Node(n) == nil && at() {
			return true
		}
		n.In[1] = old
		if f.one.Node(n) != nil {
			return false
		}
	}
	return false
}

// declared reports whether no input has a free axis, so that all sizes but the batch are the same in every run.
func (f *freer) declared() bool {
	for _, v := range f.g.Inputs {
		dims := f.g.Info(v).Dims
		if dims == nil || slices.ContainsFunc(dims, func(d graph.Dim) bool { return d.Size < 0 }) {
			return false
		}
	}
	return true
}

// accept keeps what try changed in n, and the nodes that it added, when n then takes the larger batch and follows it, and undoes it
// otherwise.
func (f *freer) accept(n *graph.Node, try func() bool) bool {
	in, nodes, count := slices.Clone(n.In), len(f.g.Nodes), f.count
	shapes := make([]tensor.Shape, len(n.Out))
	for i, v := range n.Out {
		shapes[i] = f.one.Shape(v)
	}
	ok := try() && f.b.Err() == nil && f.one.Node(n) == nil && f.many.Node(n) == nil
	for i, v := range n.Out {
		ok = ok && (v == 0 || f.one.Shape(v).Equal(shapes[i]))
	}
	if ok && slices.ContainsFunc(n.Out, func(v graph.Value) bool { _, s := f.scaled(v); return s || v != 0 && f.many.Shape(v) == nil }) {
		return true
	}
	n.In, f.g.Nodes, f.count, f.b = in, f.g.Nodes[:nodes], count, graph.NewBuilder(f.g)
	_ = f.one.Node(n) // was inferred before
	return false
}

// repeat repeats the operands of n that were made for one batch, such as a class token [1,1,D] in a Concat or the initial state [1,1,H] of
// an LSTM, along the axis that is the batch in the others.
func (f *freer) repeat(n *graph.Node) bool {
	for _, v := range n.In[:n.NumIn] {
		axis, ok := f.scaled(v)
		if !ok {
			continue
		}
		if f.accept(n, func() bool { return f.repeatAlong(n, v, axis) }) {
			return true
		}
	}
	return false
}

// repeatAlong repeats what n reads beside x along the axis of x that has the batch.
func (f *freer) repeatAlong(n *graph.Node, x graph.Value, axis int) bool {
	done := false
	rank, size := len(f.one.Shape(x)), f.one.Shape(x)[axis]
	for i, v := range n.In[:n.NumIn] {
		if v == 0 || f.g.Info(v).DType != f.g.Info(n.In[0]).DType {
			continue
		}
		s := f.one.Shape(v)
		a := axis
		if len(s) != rank && ofRole(n, graph.Arithmetic, graph.NoRole) {
			a -= rank - len(s) // aligned at the end
		}
		if _, ok := f.scaled(v); ok || a < 0 || a >= len(s) || s[a] != size || f.many.Shape(v) == nil {
			continue
		}
		row := f.row(v, a)
		switch {
		case size != f.size && f.size > 1 || row == 0:
			continue
		case ofRole(n, graph.Arithmetic, graph.NoRole) && size > 1 && size == f.size:
			n.In[i] = row // broadcasts
		default:
			outer := max(1, f.outer[x])
			n.In[i] = f.expand(row, a, outer, size/(outer*f.size))
		}
		done = true
	}
	return done
}

// row is v with one row along axis a, of size rows that are all the same; 0 when they may differ.
func (f *freer) row(v graph.Value, a int) graph.Value {
	if f.size == 1 {
		return v
	}
	in := f.g.Info(v)
	if in.Kind == graph.Constant {
		t := firstRow(in.Data, a)
		if t == nil {
			return 0
		}
		r := f.g.AddConst(in.Name, t)
		return r
	}
	d := in.Def
	if d == nil || !ofOp(d, ops.Expand) || f.one.Value(d.In[1]) == nil {
		return 0
	}
	target, err := f.one.Value(d.In[1]).Ints()
	if err != nil {
		return 0
	}
	s := f.one.Shape(d.In[0])
	if k := len(s) - len(target) + a; len(target) != len(f.one.Shape(v)) || k >= 0 && s[k] != 1 {
		return 0
	}
	target[a] = 1
	return f.add(ops.Expand, nil, d.In[0], f.b.Ints(target...))
}

// firstRow is t with its first row along axis a alone; nil when not all rows are equal.
func firstRow(t *tensor.Tensor, a int) *tensor.Tensor {
	s := t.Shape()
	inner := t.DType().Size(s[a+1:].Len())
	if t.DType().Bits() < 8 || t.Bytes() == nil || inner == 0 {
		return nil
	}
	shape := slices.Clone(s)
	shape[a] = 1
	out := tensor.New(t.DType(), shape...)
	for o := range s[:a].Len() {
		first := t.Bytes()[o*s[a]*inner:][:inner]
		for r := 1; r < s[a]; r++ {
			if !slices.Equal(first, t.Bytes()[(o*s[a]+r)*inner:][:inner]) {
				return nil
			}
		}
		copy(out.Bytes()[o*inner:], first)
	}
	return out
}

// expand repeats v for the examples of the batch, each time inner numbers along axis a, of which there are outer times as many.
func (f *freer) expand(v graph.Value, a, outer, inner int) graph.Value {
	s := f.one.Shape(v)
	merged := outer*inner > 1
	if merged {
		parts := slices.Concat(s[:a], tensor.Shape{outer, 1, inner}, s[a+1:])
		if v = f.add(ops.Reshape, nil, v, f.b.Ints(parts...)); v == 0 {
			return 0
		}
		a++
	}
	target := make([]int64, len(f.one.Shape(v)))
	for i := range target {
		target[i] = 1 // keeps
	}
	v = f.add(ops.Expand, nil, v, f.vector(target, a, 1))
	if merged {
		a--
		v = f.add(ops.Reshape, nil, v, f.b.Ints(slices.Concat(s[:a], tensor.Shape{-1}, s[a+1:])...))
	}
	return v
}

// scaleInts makes one number in a constant vector that n reads grow with the batch: the first size of a Resize or Expand, the end of a
// Slice.
func (f *freer) scaleInts(n *graph.Node) bool {
	if !ofRole(n, graph.Move, graph.Pool) {
		return false
	}
	for i, v := range n.In[:n.NumIn] {
		if i == 0 || v == 0 {
			continue
		}
		in := f.g.Info(v)
		if in.Kind != graph.Constant || in.DType != tensor.Int64 || in.Data.Rank() != 1 || in.Data.Len() > 16 {
			continue
		}
		for p, x := range in.Data.I64() {
			if x <= 0 || x%int64(f.size) != 0 {
				continue
			}
			if f.accept(n, func() bool { n.In[i] = f.vector(in.Data.I64(), p, int(x)/f.size); return true }) {
				return true
			}
		}
	}
	return false
}

// vector is x with the size of the batch times factor in the place of number p.
func (f *freer) vector(x []int64, p, factor int) graph.Value {
	if f.count == 0 {
		i := slices.Index(f.batched, true)
		attrs, err := ops.Shape.DecodeAttrs(graph.Attrs{"start": int64(0), "end": int64(1)})
		if err != nil {
			f.b.Fail(err)
			return 0
		}
		f.count = f.add(ops.Shape, attrs, f.g.Inputs[i])
	}
	n := f.count
	if factor != 1 {
		n = f.add(ops.Mul, nil, n, f.b.Ints(factor))
	}
	var parts []graph.Value
	if p > 0 {
		parts = append(parts, f.b.Const(tensor.From(slices.Clone(x[:p]), p)))
	}
	parts = append(parts, n)
	if rest := x[p+1:]; len(rest) > 0 {
		parts = append(parts, f.b.Const(tensor.From(slices.Clone(rest), len(rest))))
	}
	if len(parts) == 1 {
		return n
	}
	attrs, err := ops.Concat.DecodeAttrs(graph.Attrs{"axis": int64(0)})
	if err != nil {
		f.b.Fail(err)
		return 0
	}
	return f.add(ops.Concat, attrs, parts...)
}

// add adds a node and infers it.
func (f *freer) add(op *graph.Spec, attrs any, in ...graph.Value) graph.Value {
	v := f.b.Add(op, attrs, in...)
	if v == 0 {
		return 0
	}
	n := f.g.Nodes[len(f.g.Nodes)-1]
	if err := f.one.Node(n); err != nil {
		f.b.Fail(err)
	} else if err := f.many.Node(n); err != nil {
		f.b.Fail(err)
	}
	return v
}

// ofOp reports whether n is of op, in any version.
func ofOp(n *graph.Node, op *graph.Spec) bool {
	return n.Op.Domain == op.Domain && n.Op.Name == op.Name
}

func ofRole(n *graph.Node, roles ...graph.Role) bool { return slices.Contains(roles, n.Op.Role) }
