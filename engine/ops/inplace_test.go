package ops_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestInPlace runs every operator of the cases, those of their gradients and of the gradients of these included, on inputs that die with
// it. Overwriting an input, and memory that one value leaves to another, must not change a bit of the result.
func TestInPlace(t *testing.T) {
	overwrote := map[string]bool{}
	tried := 0
	for _, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			tried++
			spec, err := c.spec()
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range []tensor.DType{tensor.Float32, tensor.Float64} {
				if !accepts(spec, c, d) || c.drawn > 5 || c.drawn > 0 && d == tensor.Float64 { // of which there are many
					continue
				}
				p, err := c.build(d, false)
				if err != nil {
					t.Fatal(err)
				}
				p.differentiateTwice(c)
				for k, n := range p.g.Nodes {
					if n.Op.Random {
						break // what follows differs from run to run
					}
					if p.inPlace(t, d, k) {
						overwrote[n.Op.Name] = true
					}
				}
			}
		})
	}
	for _, s := range ops.Standard.All() {
		// Only inputs of real numbers are made to die with the operator.
		real := len(s.In) > 0 && (s.In[0].Types == nil || slices.ContainsFunc(s.In[0].Types, tensor.DType.IsFloat))
		if len(s.InPlace) > 0 && !s.Random && real && !overwrote[s.Name] && tried == len(cases) {
			t.Errorf("no case of %s lets it overwrite an input", s.Name)
		}
	}
}

// differentiateTwice adds first and second gradients where there are any.
func (p *problem) differentiateTwice(c opCase) {
	if c.values || !p.node.Op.HasGrad() || len(p.diff) == 0 {
		return
	}
	r := rand.New(rand.NewPCG(3, 4))
	wrt := []graph.Value{}
	for _, i := range p.diff {
		wrt = append(wrt, p.vals[i])
	}
	seeds, err := p.seeds(r)
	if err != nil || len(seeds) == 0 {
		return
	}
	ds, err := p.reverse(seeds, wrt)
	if err != nil {
		return
	}
	out, err := p.run(nil, p.feeds, present(ds))
	if err != nil {
		return
	}
	seeds = nil
	for i, v := range present(ds) {
		seeds = append(seeds, seedFor(p, r, v, out[i], i))
	}
	before := p.g.Clone()
	if _, err := p.reverse(seeds, append(wrt, p.dys...)); err != nil {
		p.g = before
	}
}

func present(vs []graph.Value) []graph.Value {
	return slices.DeleteFunc(slices.Clone(vs), func(v graph.Value) bool { return v == 0 })
}

// inPlace runs node k alone with what it needs, and reports whether it overwrote an input.
func (p *problem) inPlace(t *testing.T, d tensor.DType, k int) bool {
	h := p.g.Clone()
	h.Outputs = nil
	n := h.Nodes[k]
	fetch := present(n.Out)
	rewrite.Dead(h, fetch)
	if i := slices.Index(h.Nodes, n); i < 0 {
		return false
	}
	// Inputs that are computed right before the node, and read by it alone.
	b := graph.NewBuilder(h)
	fresh := map[graph.Value]graph.Value{}
	count := len(h.Nodes)
	for i, v := range n.In {
		if v == 0 || h.Info(v).Kind == graph.Constant || !h.Info(v).DType.IsFloat() {
			continue
		}
		if fresh[v] == 0 {
			fresh[v] = b.Add(ops.Mul, nil, v, b.Scalar(h.Info(v).DType, 1))
		}
		n.In[i] = fresh[v]
	}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	added := slices.Clone(h.Nodes[count:])
	at := slices.Index(h.Nodes, n)
	h.Nodes = slices.Concat(h.Nodes[:at], added, h.Nodes[at:count])
	run := func(g *graph.Graph, fetch []graph.Value) ([]*tensor.Tensor, int) {
		prog, err := exec.Compile(g, fetch, nil)
		if err != nil {
			t.Fatal(err)
		}
		var in []*tensor.Tensor
		for _, v := range g.Inputs {
			x := p.feeds[g.Info(v).Name]
			if x == nil {
				t.Fatalf("no feed for %s", g.Info(v).Name)
			}
			if x.DType() != g.Info(v).DType {
				if x, err = x.Convert(g.Info(v).DType); err != nil {
					t.Fatal(err)
				}
			}
			in = append(in, x)
		}
		out, err := runCopied(prog, in)
		if err != nil {
			return nil, 0
		}
		return out, prog.ArenaBytes()
	}
	frozen := h.Clone()
	for _, n := range frozen.Nodes {
		n.Frozen = true
	}
	all := slices.Clone(fetch)
	for _, n := range frozen.Nodes {
		all = append(all, present(n.Out)...)
	}
	want, _ := run(frozen, all) // every value in memory of its own
	if want == nil {
		return false
	}
	same := func(what string, got []*tensor.Tensor) {
		for i := range fetch {
			if got == nil || string(got[i].Bytes()) != string(want[i].Bytes()) {
				t.Errorf("%v: node %d %s (%s): output %d differs %s", d, k, n.Op.Name, n.Name, i, what)
				return
			}
		}
	}
	got, _ := run(frozen, fetch)
	same("when memory is shared over time", got)
	got, _ = run(h, fetch)
	same("when an input is overwritten", got)
	return overwrites(h, n)
}

// overwrites reports whether n may overwrite one of its inputs: the plan does it whenever types and sizes agree.
func overwrites(g *graph.Graph, n *graph.Node) bool {
	for _, pair := range n.Op.InPlace {
		if pair[0] < n.NumIn && pair[1] < len(n.Out) && n.In[pair[0]] != 0 && n.Out[pair[1]] != 0 &&
			g.Info(n.In[pair[0]]).Kind == graph.Computed && !n.Frozen {
			return true
		}
	}
	return false
}

// seedFor adds a random gradient by v, whose value is like out.
func seedFor(p *problem, r *rng, v graph.Value, out *tensor.Tensor, i int) grad.Seed {
	return grad.Seed{Y: v, DY: p.addFeed(r, fmt.Sprintf("ddy%d", i), out)}
}
