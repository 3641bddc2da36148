package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/graphgen"
	"github.com/gtk-onnx/gtk/tensor"
)

// held is a range of the arena and the steps during which a value, or working memory, needs it. The steps are worked out here from what
// the nodes read and write; of the planner's work only the offsets are believed.
type held struct {
	v          graph.Value // 0 for working memory
	from, to   int         // steps, both included
	start, end int         // bytes
}

// heldBy lists what the steps of pl hold in memory.
func heldBy(pl *plan, fetch []graph.Value) []held {
	place := map[graph.Value]*slot{}
	for i := range pl.slots {
		place[pl.slots[i].value] = &pl.slots[i]
	}
	of := map[graph.Value]graph.Value{} // value whose storage a view shows
	var all []held
	at := map[graph.Value]int{} // index in all
	for i := range pl.steps {
		st := &pl.steps[i]
		for j, v := range st.node.In {
			if j < st.node.NumIn && !st.dynamic && !st.node.Op.Reads(j) {
				continue
			}
			if k, ok := at[of[v]]; ok && v != 0 {
				all[k].to = i
			}
		}
		if st.view {
			of[st.node.Out[0]] = of[st.node.In[0]]
			continue
		}
		for _, v := range st.node.Out {
			if v == 0 || st.dynamic {
				continue // what a dynamic node makes is not in the arena
			}
			of[v] = v
			if s := place[v]; s != nil && s.bytes > 0 {
				at[v] = len(all)
				all = append(all, held{v, i, i, s.offset, s.offset + s.bytes})
			}
		}
		if st.scratch >= 0 {
			s := &pl.slots[st.scratch]
			all = append(all, held{0, i, i, s.offset, s.offset + s.bytes})
		}
	}
	for _, v := range fetch {
		if k, ok := at[of[v]]; ok {
			all[k].to = len(pl.steps)
		}
	}
	return all
}

// mayOverwrite reports whether b may take the place of a: it is an output of a step whose operator allows that, of the same size as a, the
// input, which nothing else needs.
func mayOverwrite(pl *plan, a, b held) bool {
	if a.v == 0 || b.v == 0 || a.to != b.from || a.end-a.start != b.end-b.start {
		return false
	}
	n := pl.steps[b.from].node
	if n.Frozen {
		return false
	}
	shows := func(v graph.Value) bool { // v is a or a view of it
		for v != 0 && v != a.v {
			d := pl.g.Info(v).Def
			if d == nil || !slices.ContainsFunc(pl.steps, func(st step) bool { return st.node == d && st.view }) {
				return false
			}
			v = d.In[0]
		}
		return v == a.v
	}
	readers := 0
	for j, v := range n.In {
		if shows(v) && (j >= n.NumIn || n.Op.Reads(j)) {
			readers++
		}
	}
	for _, pair := range n.Op.InPlace {
		if pair[0] < n.NumIn && shows(n.In[pair[0]]) && n.Out[pair[1]] == b.v {
			return readers == 1
		}
	}
	return false
}

// overlaps lists the pairs of live values of pl that share memory, in words.
func overlaps(pl *plan, fetch []graph.Value) (found []string) {
	all := heldBy(pl, fetch)
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.end <= b.start || b.end <= a.start || a.to < b.from || b.to < a.from {
				continue
			}
			if a.start != b.start || !mayOverwrite(pl, a, b) && !mayOverwrite(pl, b, a) {
				found = append(found, fmt.Sprintf("%s and %s share memory: bytes %d to %d in steps %d to %d, bytes %d to %d in steps %d to %d",
					nameOf(pl, a.v), nameOf(pl, b.v), a.start, a.end, a.from, a.to, b.start, b.end, b.from, b.to))
			}
		}
	}
	for _, h := range all {
		if h.end > pl.size {
			found = append(found, fmt.Sprintf("%s ends at byte %d of an arena of %d", nameOf(pl, h.v), h.end, pl.size))
		}
	}
	return found
}

// peakOf is the largest number of bytes that pl needs at the same time, whole cache lines counted, if all that may be overwritten is.
func peakOf(pl *plan, fetch []graph.Value) (peak int) {
	all := heldBy(pl, fetch)
	for i := range pl.steps {
		need := 0
		taken := map[graph.Value]bool{} // outputs that took the place of an input
		for _, h := range all {
			if h.from > i || h.to < i {
				continue
			}
			by := slices.IndexFunc(all, func(b held) bool { return b.from == i && !taken[b.v] && mayOverwrite(pl, h, b) })
			if h.to == i && by >= 0 {
				taken[all[by].v] = true
				continue
			}
			need += (h.end - h.start + 63) / 64 * 64
		}
		peak = max(peak, need)
	}
	return peak
}

func nameOf(pl *plan, v graph.Value) string {
	if v == 0 {
		return "working memory"
	}
	return fmt.Sprintf("%q", pl.g.Info(v).Name)
}

// checkPlans checks all plans of p and of its bodies.
func checkPlans(t *testing.T, p *Program) {
	t.Helper()
	for _, pl := range p.plans {
		for _, o := range overlaps(pl, p.fetch) {
			t.Error(o)
		}
		if peak := peakOf(pl, p.fetch); float64(pl.size) > slack*float64(peak) {
			t.Errorf("inputs %v: the arena has %d bytes, %d are needed at once", pl.key, pl.size, peak)
		}
	}
	for _, bodies := range p.bodies {
		for _, b := range bodies {
			checkPlans(t, b)
		}
	}
}

// slack is how much larger than what is needed at once an arena may be.
const slack = 1.05

// TestLayout plans generated programs with views, operators that overwrite their input, working memory, bodies and shapes that only a run
// knows, and their gradients, for several batch sizes.
func TestLayout(t *testing.T) {
	worst, overwrote, views, scratch := 0.0, 0, 0, 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 21))
		o := graphgen.Options{Nodes: 30, Bodies: int(seed % 3), Dynamic: seed%4 == 3, Memory: seed%5 < 3}
		p := graphgen.New(r, o)
		fetch := slices.Clone(p.G.Outputs)
		if seed%2 == 0 {
			wrt := append(slices.Clone(p.Params), p.G.Inputs[:2]...)
			ds, err := grad.Reverse(p.G, []grad.Seed{grad.Ones(p.G, p.Loss)}, wrt, grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			fetch = append(fetch, slices.DeleteFunc(ds, func(v graph.Value) bool { return v == 0 })...)
		}
		p.G.Outputs = nil
		p.G.Prune(fetch)
		prog, err := Compile(p.G, fetch, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 3, 16} {
			if _, err := prog.Run(context.Background(), p.Feeds(r, n)); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		checkPlans(t, prog)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		for _, pl := range prog.plans {
			worst = max(worst, float64(pl.size)/float64(max(1, peakOf(pl, fetch))))
			for i := range pl.slots {
				if pl.slots[i].start == -1 {
					overwrote++
				}
			}
			for i := range pl.steps {
				if pl.steps[i].view && !pl.steps[i].dynamic {
					views++
				}
				if pl.steps[i].scratch >= 0 {
					scratch++
				}
			}
		}
	}
	t.Logf("the largest arena is %.3f of what is needed; %d values overwrite another, %d are views, %d steps have working memory", worst,
		overwrote, views, scratch)
	if overwrote < 500 || views < 500 || scratch < 20 {
		t.Errorf("only %d values overwrite another, %d are views, %d steps have working memory: the programs test nothing", overwrote,
			views,
			scratch)
	}
}

// TestLayoutCheck breaks layouts on purpose: the check must see each.
func TestLayoutCheck(t *testing.T) {
	p := graphgen.New(rand.New(rand.NewPCG(4, 4)), graphgen.Options{Nodes: 30})
	prog, err := Compile(p.G, p.G.Outputs, nil)
	if err != nil {
		t.Fatal(err)
	}
	pl, err := prog.newPlan(t.Context(), []tensor.Shape{{2, 3, 8, 8}, {2, 6}}, MaxValueBytes)
	if err != nil {
		t.Fatal(err)
	}
	if found := overlaps(pl, prog.fetch); found != nil {
		t.Fatal(found)
	}
	broken, harmless := 0, 0
	for i := range pl.slots {
		s := &pl.slots[i]
		if s.bytes == 0 {
			continue
		}
		was := s.offset
		s.offset = 0 // where another value lives, at some time
		if overlaps(pl, prog.fetch) != nil {
			broken++
		} else {
			harmless++
		}
		s.offset = pl.size
		if overlaps(pl, prog.fetch) == nil {
			t.Errorf("slot %d lies outside the arena, which is not seen", i)
		}
		s.offset = was
	}
	if broken < 10 {
		t.Errorf("only %d layouts of %d were seen to be broken", broken, broken+harmless)
	}
	if found := overlaps(pl, append(prog.fetch, p.Floats...)); found == nil {
		t.Error("all values are wanted in the end, and no two are seen to share memory")
	}
}
