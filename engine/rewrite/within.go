package rewrite

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/memory"
)

// LimitError is the refusal of a step that does not fit into a limit of memory by recomputing.
type LimitError struct {
	Limit, Least, Free int // bytes: asked for, of the smallest plan that was found, without a limit
}

// Error says what can be asked for.
func (e *LimitError) Error() string {
	return fmt.Sprintf("a step cannot be planned in %s: the least that recomputing comes to is %s, without a limit it is %s; raise "+
		"--memory-limit, or take smaller batches", memory.Size(int64(e.Limit)), memory.Size(int64(e.Least)), memory.Size(int64(e.Free)))
}

// WithinMemory makes plans fit into limit bytes of arena: where a plan is larger, values of the forward pass that the backward pass reads
// are not kept but computed again, by the same nodes, so that the results are the same bit for bit. What costs little for the memory that
// it frees goes first (Chen et al. 2016, arXiv 1604.06174; greedy as Kirisame et al. 2020, arXiv 2006.09616). Each node is computed again
// at most once, so that a step costs at most one forward pass more. The error is a *LimitError.
func WithinMemory(limit int) exec.Specialize {
	return func(d *exec.Draft, try func(g *graph.Graph) (int, error)) (*graph.Graph, error) {
		if d.Bytes <= limit {
			return nil, nil
		}
		r := newRecomputing(d)
		least := &LimitError{Limit: limit, Least: d.Bytes, Free: d.Bytes}
		for target, tries := limit, 0; tries < 6; tries++ {
			dropped := r.choose(target)
			if dropped == nil {
				break
			}
			g := r.build(dropped)
			size, err := try(g)
			if err != nil {
				return nil, err
			}
			if size <= limit {
				return g, nil
			}
			target -= max(target/200, size-limit) // plans are a little larger than what is needed at once
		}
		r = newRecomputing(d) // what is the least does not depend on what was asked for
		r.choose(0)
		if g := r.build(r.best); g != nil {
			size, err := try(g)
			if err != nil {
				return nil, err
			}
			if size <= limit {
				return g, nil
			}
			least.Least = min(least.Least, size)
		}
		return nil, least
	}
}

// recomputing is what is known of a draft. Values are roots, by their number; the copy of r that is computed again is r+values.
type recomputing struct {
	d      *exec.Draft
	values int
	back   int // the first step of the backward pass
	bytes  []int
	cost   []float64 // of a step, in seconds
	may    []bool    // the step may be done again
	asked  []bool    // a root is fetched
	maker  []int     // the step that makes a root, -1 where none does or it is fetched
	uses   [][]int   // the steps that read each root
	least  int       // of all that were looked at
	best   []bool    // that had it
}

func newRecomputing(d *exec.Draft) *recomputing {
	n := d.Graph.NumValues()
	r := &recomputing{d: d, values: n, back: len(d.Steps), bytes: make([]int, 2*n), cost: make([]float64, len(d.Steps)),
		may: make([]bool, len(d.Steps)), asked: make([]bool, n), maker: make([]int, n), uses: make([][]int, n), least: d.Bytes}
	for v := range n {
		r.maker[v] = -1
		if v > 0 {
			r.bytes[v] = d.Held(graph.Value(v))
			r.bytes[v+n] = r.bytes[v]
		}
	}
	for _, v := range d.Fetch {
		r.asked[d.Root(v)] = true
	}
	for i, s := range d.Steps {
		if s.Node.For != nil && i < r.back {
			r.back = i
		}
		moved := 0
		for k, v := range s.Node.In {
			if readsInput(s, k) {
				root := d.Root(v)
				moved += r.bytes[root]
				if u := r.uses[root]; len(u) == 0 || u[len(u)-1] != i {
					r.uses[root] = append(u, i)
				}
			}
		}
		free := true
		for o, v := range s.Node.Out {
			if v == 0 {
				continue
			}
			if !s.View {
				moved += r.bytes[v]
			}
			// What is fetched is there once the step was done; to do it again without that it must be an output that may be left out.
			if r.asked[d.Root(v)] {
				free = free && s.Node.Op.Out[o].Optional
			} else {
				if !s.View {
					r.maker[v] = i
				}
				free = free && (s.View || r.bytes[v] > 0)
			}
		}
		r.may[i] = i < r.back && free && !s.Dynamic && !s.View && !s.Node.Op.Random && len(s.Node.Bodies) == 0
		r.cost[i] = 1e-6 + 2*float64(ops.MACs(s.Node, d.Shape))/1.5e11 + float64(moved)/2e10
	}
	return r
}

// readsInput reports whether a step reads the content of input k of its node.
func readsInput(s exec.DraftStep, k int) bool {
	return s.Node.In[k] != 0 && (k >= s.Node.NumIn || s.Dynamic || s.Node.Op.Reads(k))
}

// event is a step of the schedule with what is computed again in its place: the roots that it reads and writes.
type event struct {
	step    int // the step of the draft that is done, or done again
	at      int // the step of the draft that it is done for
	again   bool
	in, out []int
}

// schedule lists the events where the steps in dropped are done again when the backward pass first asks for what they make.
func (r *recomputing) schedule(dropped []bool) []event {
	var all []event
	done := make([]bool, len(r.d.Steps)) // again
	var need func(root, at int) int
	redo := func(i, at int) {
		done[i] = true
		e := event{step: i, at: at, again: true}
		for k, v := range r.d.Steps[i].Node.In {
			if readsInput(r.d.Steps[i], k) {
				e.in = append(e.in, need(int(r.d.Root(v)), at))
			}
		}
		for _, v := range r.d.Steps[i].Node.Out {
			if v != 0 && r.maker[v] == i {
				e.out = append(e.out, int(v)+r.values)
			}
		}
		all = append(all, e)
	}
	need = func(root, at int) int {
		i := r.maker[root]
		if i < 0 || !dropped[i] {
			return root
		}
		if !done[i] {
			redo(i, at)
		}
		return root + r.values
	}
	for i, s := range r.d.Steps {
		e := event{step: i, at: i}
		for k, v := range s.Node.In {
			if !readsInput(s, k) {
				continue
			}
			root := int(r.d.Root(v))
			if i >= r.back {
				root = need(root, i)
			}
			e.in = append(e.in, root)
		}
		if !s.View {
			for _, v := range s.Node.Out {
				if v != 0 {
					e.out = append(e.out, int(v))
				}
			}
		}
		all = append(all, e)
	}
	return all
}

// peak is the most memory that is live at once in a schedule, and the event where it is.
func (r *recomputing) peak(all []event) (most, at int) {
	last := make([]int, 2*r.values)
	for k := range all {
		for _, v := range all[k].in {
			last[v] = k
		}
		for _, v := range all[k].out {
			last[v] = max(last[v], k)
		}
	}
	for _, v := range r.d.Fetch {
		last[r.d.Root(v)] = len(all)
	}
	live := 0
	for k, e := range all {
		s := r.d.Steps[e.step]
		taken := 0 // of what dies here, by an output in its place
		for o, v := range e.out {
			live += r.bytes[v]
			for _, pair := range s.Node.Op.InPlace {
				if i := nthRead(s, pair[0]); pair[1] == o && i >= 0 {
					if in := e.in[i]; last[in] == k && r.bytes[in] == r.bytes[v] {
						taken += r.bytes[v]
						break
					}
				}
			}
		}
		if now := live + s.Scratch - taken; now > most {
			most, at = now, k
		}
		freed := map[int]bool{}
		for _, v := range slices.Concat(e.in, e.out) {
			if last[v] == k && !freed[v] {
				freed[v] = true
				live -= r.bytes[v]
			}
		}
	}
	return most, at
}

// nthRead is where input i of a step stands among those that it reads, -1 where it does not.
func nthRead(s exec.DraftStep, i int) (at int) {
	if i >= len(s.Node.In) || !readsInput(s, i) {
		return -1
	}
	for k := range i {
		if readsInput(s, k) {
			at++
		}
	}
	return at
}

// measure is peak for what is dropped; it remembers the smallest.
func (r *recomputing) measure(dropped []bool) (all []event, most, at int) {
	all = r.schedule(dropped)
	most, at = r.peak(all)
	if most < r.least {
		r.least, r.best = most, slices.Clone(dropped)
	}
	return all, most, at
}

// choose is the cheapest set of steps to do again that was found to need target bytes at most, nil where none was.
func (r *recomputing) choose(target int) []bool {
	var best []bool
	cheapest := 0.0
	offer := func(dropped []bool) {
		if dropped == nil {
			return
		}
		r.prune(dropped, target)
		if c := r.price(dropped); best == nil || c < cheapest {
			best, cheapest = dropped, c
		}
	}
	offer(r.greedy(make([]bool, len(r.may)), target))
	if best != nil {
		return best
	}
	for parts := 2; parts <= 24; parts++ {
		offer(r.greedy(r.segments(parts), target))
	}
	return best
}

// price is what it costs to do the steps again, in seconds.
func (r *recomputing) price(dropped []bool) (sum float64) {
	for i, yes := range dropped {
		if yes {
			sum += r.cost[i]
		}
	}
	return sum
}

// greedy adds to dropped, where the peak is, the step that costs the least for what it frees there, until target is met; nil where that
// does not come to it.
func (r *recomputing) greedy(dropped []bool, target int) []bool {
	for {
		all, most, at := r.measure(dropped)
		if most <= target {
			return dropped
		}
		pick := r.pick(dropped, all, at)
		if pick < 0 {
			return nil
		}
		dropped[pick] = true
	}
}

// pick is the step that costs the least for what it frees where the peak of a schedule is, -1 where none frees anything.
func (r *recomputing) pick(dropped []bool, all []event, at int) int {
	here := all[at].at
	used := map[int]bool{} // at the peak
	for _, v := range slices.Concat(all[at].in, all[at].out) {
		used[v] = true
	}
	ratio, pick := 0.0, -1
	for i := range r.may {
		if !r.may[i] || dropped[i] || i >= here {
			continue
		}
		if gain := r.gain(i, here, dropped, used); gain > 0 && float64(gain)/r.cost[i] > ratio {
			ratio, pick = float64(gain)/r.cost[i], i
		}
	}
	return pick
}

// gain is about how many bytes it frees at a step to do step i again.
func (r *recomputing) gain(i, here int, dropped []bool, used map[int]bool) (sum int) {
	for _, v := range r.d.Steps[i].Node.Out {
		if v == 0 || used[int(v)] || r.asked[r.d.Root(v)] {
			continue
		}
		if first := r.firstAfter(int(v), here); first > here && r.lastForward(int(v)) < here {
			sum += r.bytes[v]
		}
	}
	if sum == 0 {
		return 0
	}
	seen := map[int]bool{}
	var leaves func(i int)
	leaves = func(i int) {
		for k, v := range r.d.Steps[i].Node.In {
			if !readsInput(r.d.Steps[i], k) {
				continue
			}
			root := int(r.d.Root(v))
			k := r.maker[root]
			if seen[root] || k < 0 {
				continue
			}
			seen[root] = true
			if dropped[k] {
				leaves(k)
			} else if u := r.uses[root]; len(u) == 0 || u[len(u)-1] < here { // it would have to be kept
				sum -= r.bytes[root]
			}
		}
	}
	leaves(i)
	return sum
}

// firstAfter is the first step of the backward pass that reads a root, -1 where none does, or where one before the given step does.
func (r *recomputing) firstAfter(root, here int) int {
	for _, u := range r.uses[root] {
		if u >= r.back {
			if u < here {
				return -1
			}
			return u
		}
	}
	return -1
}

// lastForward is the last step of the forward pass that makes or reads a root.
func (r *recomputing) lastForward(root int) int {
	last := r.maker[root]
	for _, u := range r.uses[root] {
		if u < r.back {
			last = max(last, u)
		}
	}
	return last
}

// segments cuts the forward pass into parts of about as many bytes and keeps what goes from one to another.
func (r *recomputing) segments(parts int) []bool {
	dropped := make([]bool, len(r.may))
	total := 0
	for i := range r.back {
		total += r.made(i)
	}
	part, sum := make([]int, r.back), 0
	for i := range r.back {
		part[i] = min(parts-1, sum*parts/max(total, 1))
		sum += r.made(i)
	}
	for i := range r.back {
		dropped[i] = r.may[i]
		for _, v := range r.d.Steps[i].Node.Out {
			if v == 0 || r.d.Steps[i].View {
				continue
			}
			for _, u := range r.uses[v] {
				if u < r.back && part[u] != part[i] {
					dropped[i] = false
				}
			}
		}
	}
	return dropped
}

// made is the bytes that step i makes.
func (r *recomputing) made(i int) (sum int) {
	for _, v := range r.d.Steps[i].Node.Out {
		sum += r.bytes[v]
	}
	return sum
}

// prune takes out of dropped what target is met without, the dearest first.
func (r *recomputing) prune(dropped []bool, target int) {
	var order []int
	for i, yes := range dropped {
		if yes {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.cost[b], r.cost[a]) })
	for _, i := range order {
		dropped[i] = false
		if _, most, _ := r.measure(dropped); most > target {
			dropped[i] = true
		}
	}
}

// build is the graph in which the steps in dropped are done again, nil for none.
func (r *recomputing) build(dropped []bool) *graph.Graph {
	if dropped == nil {
		return nil
	}
	g := r.d.Graph.Clone()
	step := make(map[int]int, len(r.d.Steps)) // by the number of the node
	for i, s := range r.d.Steps {
		step[s.Node.ID] = i
	}
	again := make([]graph.Value, g.NumValues()) // what is computed again of a value
	var nodes []*graph.Node
	b := graph.NewBuilder(g)
	var need func(v graph.Value) graph.Value
	redo := func(n *graph.Node) {
		in, want := make([]graph.Value, len(n.In)), make([]bool, len(n.Out))
		for i, v := range n.In {
			if in[i] = v; v != 0 && (i >= n.NumIn || n.Op.Reads(i)) {
				in[i] = need(v)
			}
		}
		for i, v := range n.Out {
			want[i] = v != 0 && !r.asked[r.d.Root(v)]
		}
		m := b.AddNode(n.Name, n.Op, n.Attrs, in, want)
		m.Opset = n.Opset
		for i, v := range n.Out {
			if want[i] {
				again[v] = m.Out[i]
			}
		}
		nodes = append(nodes, m)
	}
	need = func(v graph.Value) graph.Value {
		i := r.maker[r.d.Root(v)]
		if i < 0 || !dropped[i] {
			return v
		}
		if again[v] == 0 {
			redo(r.d.Graph.Info(v).Def)
		}
		return again[v]
	}
	old := g.Nodes
	for _, n := range old {
		if i, runs := step[n.ID]; runs && i >= r.back {
			for k, v := range n.In {
				if readsInput(r.d.Steps[i], k) && int(v) < r.values {
					n.In[k] = need(v)
				}
			}
		}
		nodes = append(nodes, n)
	}
	if b.Err() != nil {
		panic(b.Err()) // the nodes were there before
	}
	g.Nodes = nodes
	return g
}
