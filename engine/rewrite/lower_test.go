package rewrite_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/graphgen"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestLowerPrivate writes gradients in ONNX's operators, in bodies too: no private operator that has a lowering is left, fetched values
// keep their names, and where all are written so the oracle, which knows no private operator, computes what the engine computes.
func TestLowerPrivate(t *testing.T) {
	lowered, whole := map[string]bool{}, 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 81))
		p := graphgen.New(r, graphgen.Options{Nodes: 8, Bodies: int(seed % 3)})
		fetch := slices.Clone(p.G.Outputs)
		ds, err := grad.Reverse(p.G, []grad.Seed{grad.Ones(p.G, p.Loss)}, append(slices.Clone(p.Params), p.G.Inputs[:2]...),
			grad.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			if d != 0 {
				fetch = append(fetch, d)
			}
		}
		p.G.Outputs = nil
		p.G.Prune(fetch)
		feeds := p.Feeds(r, 2)
		want, err := run(p.G, fetch, feeds)
		if err != nil {
			t.Fatal(err)
		}
		used := private(p.G)
		names := make([]string, len(fetch))
		for i, v := range fetch {
			names[i] = p.G.Info(v).Name
		}
		if err := rewrite.LowerPrivate(p.G); err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		rewrite.Dead(p.G, fetch)
		if left := private(p.G); left != nil {
			for _, name := range left {
				if op, _ := ops.Standard.Find(ops.Private, name, 1); op.HasLower() {
					t.Errorf("seed %d: %s is left", seed, name)
				}
			}
			continue
		}
		whole++
		for _, op := range used {
			lowered[op] = true
		}
		got, err := naive.Fetch(p.G, p.Named(feeds), fetch)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		for i, v := range fetch {
			if p.G.Info(v).Name != names[i] {
				t.Errorf("seed %d: %q is called %q now", seed, names[i], p.G.Info(v).Name)
			}
			w, err := want[i].Convert(tensor.Float64)
			if err != nil {
				t.Fatal(err)
			}
			if ok, rep := tensor.AllClose(w, got[names[i]], 2e-3, 2e-3); !ok {
				t.Errorf("seed %d: %s: %v", seed, names[i], rep)
			}
		}
	}
	t.Logf("%d private operators were lowered, and %d whole programs", len(lowered), whole)
	if len(lowered) < 15 || whole < 30 {
		t.Errorf("only %d private operators were lowered, and %d whole programs", len(lowered), whole)
	}
}

// private lists the private operators of g and its bodies.
func private(g *graph.Graph) (names []string) {
	for _, n := range g.Nodes {
		if n.Op.Domain == ops.Private {
			names = append(names, n.Op.Name)
		}
		for _, b := range n.Bodies {
			names = append(names, private(b.G)...)
		}
	}
	return names
}

// TestLowerFails names the node whose private operator cannot be written in ONNX's.
func TestLowerFails(t *testing.T) {
	type none struct{}
	odd := graph.Def[none]{Domain: ops.Private, Name: "Odd", Since: []int{1}, In: []graph.Formal{{Name: "X"}},
		Out:   []graph.Formal{{Name: "Y"}},
		Lower: func(_ *none, b *graph.Builder, n *graph.Node) ([]graph.Value, error) { return []graph.Value{0}, nil }}.Spec()
	g := graph.New("")
	b := graph.NewBuilder(g)
	if n := b.AddNode("strange", odd, nil, []graph.Value{g.AddInput("x", tensor.Float32, nil)}, []bool{true}); n == nil {
		t.Fatal(b.Err())
	}
	const want = `rewrite: node "strange" (gtk.Odd): the lowering gives no output 0 (1 in all)`
	if err := rewrite.LowerPrivate(g); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
