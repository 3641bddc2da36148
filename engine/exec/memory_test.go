package exec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/graphgen"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestOracle runs generated programs, with bodies and with shapes that only a run knows, twice in the same memory, and compares with the
// oracle.
func TestOracle(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 51))
		p := graphgen.New(r, graphgen.Options{Nodes: 30, Bodies: int(seed % 3), Dynamic: seed%4 == 1, Memory: seed%2 == 0})
		prog := compile(t, p.G, p.G.Outputs)
		for _, n := range []int{3, 1, 3} {
			feeds := p.Feeds(r, n)
			got := runs(t, prog, feeds)
			want, err := naive.Run(p.G, p.Named(feeds))
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range p.G.Outputs {
				g, err := got[i].Convert(tensor.Float64)
				if err != nil {
					t.Fatal(err)
				}
				if ok, rep := tensor.AllClose(g, want[p.G.Info(v).Name], 1e-3, 1e-4); !ok {
					t.Errorf("seed %d, batch of %d: output %d: %v", seed, n, i, rep)
				}
			}
		}
	}
}

// TestMemoryIsInvisible runs generated programs and their gradients as planned, and once more with every value in memory of its own: no
// bit may differ, with any number of threads.
func TestMemoryIsInvisible(t *testing.T) {
	pools := []*parallel.Pool{parallel.New(2), parallel.New(4)}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 61))
		p := graphgen.New(r, graphgen.Options{Nodes: 25, Bodies: int(seed % 3), Dynamic: seed%4 == 1, Memory: seed%2 == 0})
		fetch := slices.Clone(p.G.Outputs)
		ds, err := grad.Reverse(p.G, []grad.Seed{grad.Ones(p.G, p.Loss)}, append(slices.Clone(p.Params), p.G.Inputs[:2]...),
			grad.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fetch = append(fetch, slices.DeleteFunc(ds, func(v graph.Value) bool { return v == 0 })...)
		p.G.Outputs = nil
		p.G.Prune(fetch)
		apart := apart(p.G)
		all := slices.Clone(fetch)
		for _, n := range apart.Nodes {
			all = append(all, slices.DeleteFunc(slices.Clone(n.Out), func(v graph.Value) bool { return v == 0 })...)
		}
		alone, shared := compile(t, apart, all), compile(t, p.G, fetch)
		for range 3 {
			feeds := p.Feeds(r, 1+r.IntN(4))
			want := runs(t, alone, feeds)[:len(fetch)]
			if err := sameBits(runs(t, shared, feeds), want); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			for _, pool := range pools {
				prog, err := Compile(p.G, fetch, pool)
				if err != nil {
					t.Fatal(err)
				}
				if err := sameBits(runs(t, prog, feeds), want); err != nil {
					t.Errorf("seed %d, %d threads: %v", seed, pool.Threads(), err)
				}
			}
		}
	}
}

// TestOverwriting gives an operator one input that either of its outputs, or only the second, may overwrite: one of them does, and what
// the input was is not read any more.
func TestOverwriting(t *testing.T) {
	type none struct{}
	for _, pairs := range [][][2]int{{{0, 0}, {0, 1}}, {{0, 1}}} {
		twice := graph.Def[none]{
			Domain: "test", Name: "Twice", Since: []int{1}, In: []graph.Formal{{Name: "X"}}, Out: []graph.Formal{{Name: "A"},
				{Name: "B"}}, InPlace: pairs,
			Infer: func(_ *none, c *graph.InferCtx) error { c.Out(0, c.Shape(0)...); c.Out(1, c.Shape(0)...); return nil },
			Run: func(_ *none, c *graph.RunCtx) error {
				for i, v := range c.In[0].F32() {
					c.Out[1].F32()[i] = v + 2
					c.Out[0].F32()[i] = v + 1
				}
				return nil
			},
		}.Spec()
		g := graph.New("")
		b := graph.NewBuilder(g)
		x := g.AddInput("x", tensor.Float32, nil)
		y := b.Add(ops.Neg, nil, x)
		outs := b.AddN(twice, nil, 2, y)
		prog := compile(t, g, outs)
		got := runs(t, prog, []*tensor.Tensor{tensor.From(make([]float32, 32), 32)})
		if got[0].F32()[3] != 1 || got[1].F32()[3] != 2 {
			t.Errorf("pairs %v: results %v and %v, want 1 and 2", pairs, got[0].F32()[3], got[1].F32()[3])
		}
		if pl := prog.plans[0]; pl.size != 2*128 {
			t.Errorf("pairs %v: the arena has %d bytes, want those of two values", pairs, pl.size)
		}
		for _, o := range overlaps(prog.plans[0], outs) {
			t.Error(o)
		}
		second := compile(t, g, outs[1:]) // nobody reads the first, which is written all the same
		if got := runs(t, second, []*tensor.Tensor{tensor.From(make([]float32, 32), 32)}); got[0].F32()[3] != 2 {
			t.Errorf("pairs %v: the second result alone is %v, want 2", pairs, got[0].F32()[3])
		}
	}
}

// apart is g with no node that overwrites an input, bodies included.
func apart(g *graph.Graph) *graph.Graph {
	c := g.Clone()
	var freeze func(g *graph.Graph)
	freeze = func(g *graph.Graph) {
		for _, n := range g.Nodes {
			n.Frozen = true
			for _, b := range n.Bodies {
				freeze(b.G)
			}
		}
	}
	freeze(c)
	return c
}
