package rewrite_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/graphgen"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// pass is one rewrite, or what sessions do one after the other, that must not change what a graph computes.
type pass struct {
	name  string
	exact bool // not a bit may differ
	run   func(g *graph.Graph, keep []graph.Value) error
}

// passes are all rewrites that change no result. Those that change one in a documented way (TrainBatchNorm, TrainDropout, Unshare,
// FreeBatch) have tests of their own.
var passes = []pass{
	{"dead", true, func(g *graph.Graph, keep []graph.Value) error { rewrite.Dead(g, keep); return nil }},
	{"merge", true, func(g *graph.Graph, keep []graph.Value) error { rewrite.Merge(g, keep); return nil }},
	{"fold", true, func(g *graph.Graph, keep []graph.Value) error { return rewrite.Fold(g) }},
	{"sink", true, func(g *graph.Graph, keep []graph.Value) error { rewrite.Sink(g); return nil }},
	{"freeze", false, func(g *graph.Graph, keep []graph.Value) error { rewrite.Freeze(g, nil); return nil }},
	{"freeze, fold", false, func(g *graph.Graph, keep []graph.Value) error { rewrite.Freeze(g, nil); return rewrite.Fold(g) }},
	{"freeze, sink", false, func(g *graph.Graph, keep []graph.Value) error { rewrite.Freeze(g, nil); rewrite.Sink(g); return nil }},
	{"freeze, fold affine", false, func(g *graph.Graph, keep []graph.Value) error {
		rewrite.Freeze(g, nil)
		rewrite.FoldAffine(g, keep, nil)
		return nil
	}},
	{"fuse residual", false, func(g *graph.Graph, keep []graph.Value) error { rewrite.FuseResidual(g, keep); return nil }},
	{"fuse activation", false, func(g *graph.Graph, keep []graph.Value) error { rewrite.FuseActivation(g, keep); return nil }},
	{"fuse relu gradient", false, func(g *graph.Graph, keep []graph.Value) error { rewrite.FuseReluGrad(g, keep); return nil }},
	{"fuse clip", false, func(g *graph.Graph, keep []graph.Value) error { rewrite.FuseClip(g, keep); return nil }},
	{"fuse layer normalisation", false, func(g *graph.Graph, keep []graph.Value) error { return rewrite.FuseLayerNorm(g, keep, nil) }},
	{"fuse GELU", false, func(g *graph.Graph, keep []graph.Value) error { return rewrite.FuseGelu(g, keep, nil) }},
	{"fuse attention", false, func(g *graph.Graph, keep []graph.Value) error { return rewrite.FuseAttention(g, keep, nil) }},
	{"fuse dense layers", false, func(g *graph.Graph, keep []graph.Value) error { return rewrite.FuseDense(g, keep, nil) }},
	{"fuse gradients of slices", false, func(g *graph.Graph, keep []graph.Value) error { rewrite.FuseSliceGrad(g, keep); return nil }},
	{"recompute", true, func(g *graph.Graph, keep []graph.Value) error { rewrite.Recompute(g, keep); return nil }},
	{"fuse", false, rewrite.Fuse},
	{"integers", false, func(g *graph.Graph, keep []graph.Value) error { return rewrite.Integers(g, keep) }},
	{"lower", false, func(g *graph.Graph, keep []graph.Value) error { return rewrite.LowerPrivate(g) }},
	{"all", false, func(g *graph.Graph, keep []graph.Value) error {
		rewrite.Freeze(g, nil)
		if err := rewrite.Fold(g); err != nil {
			return err
		}
		rewrite.Sink(g)
		rewrite.Merge(g, keep)
		rewrite.Dead(g, keep)
		if err := rewrite.Fuse(g, keep); err != nil {
			return err
		}
		rewrite.Dead(g, keep)
		rewrite.Recompute(g, keep)
		return nil
	}},
}

// run computes fetch of g, copied.
func run(g *graph.Graph, fetch []graph.Value, feeds []*tensor.Tensor) ([]*tensor.Tensor, error) {
	p, err := exec.Compile(g, fetch, nil)
	if err != nil {
		return nil, err
	}
	out, err := p.Run(context.Background(), feeds)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i] = out[i].Clone()
	}
	return out, nil
}

// text lists the nodes of g and its bodies: what a pass that did something has changed.
func text(g *graph.Graph) string {
	var b strings.Builder
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "%s %v %v %v %v\n", n.Op.Name, n.In, n.Out, n.Attrs, n.Frozen)
		for _, body := range n.Bodies {
			b.WriteString(text(body.G))
		}
	}
	for v, in := range g.Values {
		fmt.Fprint(&b, v, in.Kind, " ")
	}
	return b.String()
}

// differ says how got differs from want.
func differ(p pass, got, want []*tensor.Tensor) error {
	for i, w := range want {
		if got[i].DType() != w.DType() || !got[i].Shape().Equal(w.Shape()) {
			return fmt.Errorf("result %d is %v, want %v", i, got[i], w)
		}
		if p.exact || !w.DType().IsFloat() {
			if !tensor.Equal(got[i], w) {
				return fmt.Errorf("result %d is not the same to the bit", i)
			}
			continue
		}
		largest := 0.0
		for _, x := range w.Float64s() {
			if !math.IsInf(x, 0) && !math.IsNaN(x) {
				largest = max(largest, math.Abs(x))
			}
		}
		if ok, rep := tensor.AllClose(got[i], w, 1e-4, 2e-5*largest+1e-7); !ok {
			return fmt.Errorf("result %d: %v", i, rep)
		}
	}
	return nil
}

// TestEachRewriteOnGeneratedGraphs applies every rewrite alone to generated programs and to their gradients: what is fetched must not
// change.
func TestEachRewriteOnGeneratedGraphs(t *testing.T) {
	acted := map[string]int{}
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 71))
		p := graphgen.New(r, graphgen.Options{Nodes: 24, Bodies: int(seed % 3), Dynamic: seed%5 == 4, Memory: seed%4 == 3,
			Exported: seed%3 == 1 || seed%2 == 0})
		fetch := slices.Clone(p.G.Outputs)
		if seed%2 == 0 {
			ds, err := grad.Reverse(p.G, []grad.Seed{grad.Ones(p.G, p.Loss)}, append(slices.Clone(p.Params), p.G.Inputs[:2]...),
				grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			fetch = append(fetch, slices.DeleteFunc(ds, func(v graph.Value) bool { return v == 0 })...)
		}
		p.G.Outputs = nil
		feeds := p.Feeds(r, 3)
		want, err := run(p.G, fetch, feeds)
		if err != nil {
			t.Fatal(err)
		}
		before := text(p.G)
		for _, pass := range passes {
			g := p.G.Clone()
			err := pass.run(g, fetch)
			if pass.name == "lower" && err != nil && strings.Contains(err.Error(), "a grouped weight gradient has no single convolution") {
				continue
			}
			if err != nil {
				t.Errorf("seed %d: %s: %v", seed, pass.name, err)
				continue
			}
			if text(g) != before {
				acted[pass.name]++
			}
			got, err := run(g, fetch, feeds)
			if err == nil {
				err = differ(pass, got, want)
			}
			if err != nil {
				t.Errorf("seed %d: %s: %v", seed, pass.name, err)
			}
			if text(p.G) != before {
				t.Fatalf("seed %d: %s changes a graph that it was not given", seed, pass.name)
			}
		}
	}
	for _, pass := range passes {
		if acted[pass.name] < 5 {
			t.Errorf("%s changed %d of 120 programs: this tests nothing", pass.name, acted[pass.name])
		}
	}
}

// TestEachRewriteOnTheOfficialSuite applies every rewrite to the graphs of the official cases, with their inputs fed and with their
// inputs as constants, which folding then computes on the way.
func TestEachRewriteOnTheOfficialSuite(t *testing.T) {
	cases := testkit.OfficialSuite(t)
	tried, constant := 0, 0
	for _, c := range cases {
		if c.Suite == "light" || strings.Contains(c.Name, "training_dropout") || len(c.Sets) == 0 {
			continue // random
		}
		file, err := onnx.ReadFile(c.Model)
		if err != nil {
			continue // the suite's own test tells
		}
		m, err := engine.Load(file, engine.WithThreads(1))
		if err != nil {
			continue
		}
		var feeds []*tensor.Tensor
		for _, f := range c.Sets[0].Inputs {
			_, x, err := onnx.ReadValueFile(f, m.Inputs()[len(feeds)].DType)
			if err == nil && x.DType() != m.Graph().Info(m.Graph().Inputs[len(feeds)]).DType {
				x, err = x.Convert(m.Graph().Info(m.Graph().Inputs[len(feeds)]).DType)
			}
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			feeds = append(feeds, x)
		}
		base := m.Graph().Clone()
		fetch := slices.Clone(base.Outputs)
		want, err := run(base, fetch, feeds)
		if err != nil {
			continue
		}
		tried++
		for _, pass := range passes {
			g := base.Clone()
			if err = pass.run(g, fetch); err == nil {
				var got []*tensor.Tensor
				if got, err = run(g, fetch, feeds); err == nil {
					err = differ(pass, got, want)
				}
			}
			if err != nil {
				t.Errorf("%s/%s: %s: %v", c.Suite, c.Name, pass.name, err)
			}
		}
		// With constant inputs.
		g := base.Clone()
		for i, v := range g.Inputs {
			in := g.Info(v)
			in.Kind, in.Data = graph.Constant, feeds[i]
		}
		g.Inputs = nil
		if err := rewrite.Fold(g); err != nil {
			t.Errorf("%s/%s: folding: %v", c.Suite, c.Name, err)
			continue
		}
		if len(g.Nodes) == 0 {
			constant++
		}
		got, err := run(g, fetch, nil)
		if err == nil {
			err = differ(pass{exact: false}, got, want)
		}
		if err != nil {
			t.Errorf("%s/%s: folded: %v", c.Suite, c.Name, err)
		}
	}
	t.Logf("%d cases, of which folding computes %d", tried, constant)
	if tried < 1400 || constant < 1000 {
		t.Errorf("only %d cases were tried, and folding computed %d of them", tried, constant)
	}
}
