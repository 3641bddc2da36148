package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/graphgen"
	"github.com/gtk-onnx/gtk/tensor"
)

// runs are the results of one run, copied.
func runs(t *testing.T, p *Program, feeds []*tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	out, err := p.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	var all []*tensor.Tensor
	for _, x := range out {
		all = append(all, x.Clone())
	}
	return all
}

func compile(t *testing.T, g *graph.Graph, fetch []graph.Value) *Program {
	t.Helper()
	p, err := Compile(g, fetch, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sameBits(a, b []*tensor.Tensor) error {
	for i := range a {
		if !a[i].Shape().Equal(b[i].Shape()) || string(a[i].Bytes()) != string(b[i].Bytes()) {
			return fmt.Errorf("result %d is %v, want %v", i, tensor.Format(a[i]), tensor.Format(b[i]))
		}
	}
	return nil
}

// TestAlternatingShapes runs one program on inputs of more shapes than it keeps plans for, in changing order, with shapes that grow the
// arena and shapes that use the beginning of a larger one: each result is that of a program which has seen nothing else.
func TestAlternatingShapes(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 31))
		p := graphgen.New(r, graphgen.Options{Bodies: int(seed % 2), Dynamic: seed%3 == 0, Memory: true})
		fetch := slices.Clone(p.G.Outputs)
		ds, err := grad.Reverse(p.G, []grad.Seed{grad.Ones(p.G, p.Loss)}, p.Params, grad.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fetch = append(fetch, slices.DeleteFunc(ds, func(v graph.Value) bool { return v == 0 })...)
		prog := compile(t, p.G, fetch)
		for trial := range 30 {
			n := 1 + r.IntN(maxPlans+3)
			feeds := p.Feeds(r, n)
			got := runs(t, prog, feeds)
			if err := sameBits(got, runs(t, compile(t, p.G, fetch), feeds)); err != nil {
				t.Fatalf("seed %d, trial %d, batch of %d: %v", seed, trial, n, err)
			}
			if len(prog.plans) > maxPlans {
				t.Fatalf("%d plans are kept, want at most %d", len(prog.plans), maxPlans)
			}
		}
	}
}

// TestPlanEviction checks which plans are kept: the most recently used, each as it was made.
func TestPlanEviction(t *testing.T) {
	g := graph.New("")
	x := g.AddInput("x", tensor.Float32, nil)
	b := graph.NewBuilder(g)
	prog := compile(t, g, []graph.Value{b.Add(ops.Relu, nil, x)})
	made := map[int]*plan{}
	run := func(n int) {
		in := tensor.New(tensor.Float32, n)
		in.F32()[n-1] = float32(n)
		if out := runs(t, prog, []*tensor.Tensor{in}); out[0].Len() != n || out[0].F32()[n-1] != float32(n) {
			t.Errorf("%d elements: result %v", n, tensor.Format(out[0]))
		}
	}
	for _, c := range []struct{ n, gone int }{{1, 0}, {2, 0}, {3, 0}, {4, 0}, {1, 0}, {5, 2}, {3, 0}, {6, 4}, {5, 0}, {2, 1}, {3, 0}} {
		run(c.n)
		pl := prog.plans[0]
		if pl.key[0][0] != c.n {
			t.Fatalf("after a run of %d the first plan is for %v", c.n, pl.key)
		}
		if old := made[c.n]; old != nil && old != pl {
			t.Errorf("the plan for %d was made again", c.n)
		}
		made[c.n] = pl
		if c.gone > 0 {
			if slices.Contains(prog.plans, made[c.gone]) {
				t.Errorf("after a run of %d the plan for %d is kept, which was used longest ago", c.n, c.gone)
			}
			delete(made, c.gone)
		}
		for n, pl := range made {
			if !slices.Contains(prog.plans, pl) {
				t.Errorf("after a run of %d the plan for %d is gone", c.n, n)
			}
		}
	}
}

// TestArenaGrows runs a small batch, a large one and the small one again: the plan that was made first must follow the arena that the
// second made.
func TestArenaGrows(t *testing.T) {
	p := graphgen.New(rand.New(rand.NewPCG(5, 5)), graphgen.Options{})
	prog := compile(t, p.G, p.G.Outputs)
	small, large := p.Feeds(rand.New(rand.NewPCG(1, 1)), 1), p.Feeds(rand.New(rand.NewPCG(1, 1)), 9)
	first := runs(t, prog, small)
	before := prog.ArenaBytes()
	runs(t, prog, large)
	if prog.ArenaBytes() <= before {
		t.Fatalf("the arena has %d bytes for one example and %d for nine", before, prog.ArenaBytes())
	}
	if err := sameBits(runs(t, prog, small), first); err != nil {
		t.Error(err)
	}
	if prog.plans[0].base != &prog.arena[0] {
		t.Error("the plan points into an arena that was given up")
	}
}

// growing is a Loop whose state gets three more elements at each trip, from a value that it captures, and which also gives out the size.
func growing(t *testing.T) (g *graph.Graph, fetch []graph.Value) {
	body := graph.New("body")
	bb := graph.NewBuilder(body)
	body.AddInput("i", tensor.Int64, nil)
	cond, s, c := body.AddInput("go", tensor.Bool, nil), body.AddInput("s", tensor.Float32, nil), body.AddInput("c", tensor.Float32, nil)
	axis, err := ops.Concat.DecodeAttrs(graph.Attrs{"axis": int64(0)})
	if err != nil {
		t.Fatal(err)
	}
	next := bb.Add(ops.Concat, axis, bb.Add(ops.Neg, nil, s), c)
	body.Outputs = []graph.Value{bb.Add(ops.Identity, nil, cond), next, bb.Add(ops.Shape, nil, next)}
	g = graph.New("")
	b := graph.NewBuilder(g)
	trips, x, w := g.AddInput("trips", tensor.Int64, nil), g.AddInput("x", tensor.Float32, nil), g.AddInput("w", tensor.Float32, nil)
	cw := b.Add(ops.Mul, nil, w, b.Scalar(tensor.Float32, 2))
	n := b.AddControl("loop", ops.Loop, nil, []graph.Value{trips, 0, x}, []bool{true, true}, []*graph.Body{{Attr: "body", G: body,
		Formals: 3}}, []graph.Value{cw})
	if err := bb.Err(); err != nil || n == nil {
		t.Fatal(err, b.Err())
	}
	return g, []graph.Value{b.Add(ops.Relu, nil, n.Out[0]), n.Out[1], cw}
}

// TestGrowingState runs loops whose state has another shape at every trip, more shapes than plans are kept for.
func TestGrowingState(t *testing.T) {
	g, fetch := growing(t)
	prog := compile(t, g, fetch)
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 12 {
		trips, n := r.IntN(3*maxPlans), r.IntN(5)
		x, w := tensor.New(tensor.Float32, n), tensor.New(tensor.Float32, 3)
		for _, y := range []*tensor.Tensor{x, w} {
			for i := range y.F32() {
				y.F32()[i] = float32(r.IntN(9) - 4)
			}
		}
		want := slices.Clone(x.F32())
		var sizes []int64
		for range trips {
			for i := range want {
				want[i] = -want[i]
			}
			for _, v := range w.F32() {
				want = append(want, 2*v)
			}
			sizes = append(sizes, int64(len(want)))
		}
		for i, v := range want {
			want[i] = max(v, 0)
		}
		got := runs(t, prog, []*tensor.Tensor{tensor.Scalar(int64(trips)), x, w})
		if !slices.Equal(got[0].F32(), want) {
			t.Errorf("trial %d, %d trips from %d elements: %v, want %v", trial, trips, n, got[0].F32(), want)
		}
		if !slices.Equal(got[1].I64(), sizes) {
			t.Errorf("trial %d: sizes %v, want %v", trial, got[1].I64(), sizes)
		}
		for i, v := range got[2].F32() {
			if v != 2*w.F32()[i] {
				t.Errorf("trial %d: the captured value became %v", trial, got[2].F32())
			}
		}
		for _, bodies := range prog.bodies {
			if k := len(bodies[0].plans); k > maxPlans {
				t.Errorf("the body keeps %d plans, want at most %d", k, maxPlans)
			}
		}
	}
}

// TestFetched fetches what needs no computing, the same value twice, views and what they show.
func TestFetched(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	c, w := b.Const(tensor.From([]float32{7, 8}, 2)), g.AddParam("w", tensor.From([]float32{3}, 1))
	y := b.Add(ops.Add, nil, x, w)
	view := b.Add(ops.Reshape, nil, y, b.Ints(2, 2))
	relu := b.Add(ops.Relu, nil, y) // may not overwrite y, which is fetched by way of its view
	size := b.Add(ops.Shape, nil, view)
	shown := b.Add(ops.Reshape, nil, x, b.Ints(2, 2))
	prog := compile(t, g, []graph.Value{x, c, w, view, view, relu, size, shown})
	in := tensor.From([]float32{-4, -3, -2, -1}, 4)
	for range 2 {
		out := runs(t, prog, []*tensor.Tensor{in})
		var got []string
		for _, o := range out {
			got = append(got, fmt.Sprint(o.Float64s()))
		}
		want := []string{"[-4 -3 -2 -1]", "[7 8]", "[3]", "[-1 0 1 2]", "[-1 0 1 2]", "[0 0 1 2]", "[2 2]", "[-4 -3 -2 -1]"}
		if !slices.Equal(got, want) {
			t.Errorf("fetched %v, want %v", got, want)
		}
		for _, k := range []int{3, 4, 7} {
			if !out[k].Shape().Equal(tensor.Shape{2, 2}) {
				t.Errorf("fetched %d of shape %v, want [2,2]", k, out[k].Shape())
			}
		}
	}
	if !slices.Equal(in.F32(), []float32{-4, -3, -2, -1}) {
		t.Errorf("the input became %v", in.F32())
	}
}

// TestNothing runs batches of no example, through bodies too.
func TestNothing(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 41))
		p := graphgen.New(r, graphgen.Options{Bodies: int(seed % 2), Apart: true})
		prog := compile(t, p.G, p.G.Outputs)
		for _, n := range []int{0, 2, 0} {
			for i, x := range runs(t, prog, p.Feeds(r, n)) {
				if x.Dim(0) != n {
					t.Errorf("seed %d: output %d of a batch of %d has shape %v", seed, i, n, x.Shape())
				}
			}
		}
	}
}

// TestSame runs sums over no axis: where an operator finds for the shapes that its output is its input, it is a view of what is computed,
// but results that are fetched have memory of their own, since whoever gets them may change them, and so has what is fed.
func TestSame(t *testing.T) {
	g := graph.New("")
	x, like := g.AddInput("x", tensor.Float32, nil), g.AddInput("like", tensor.Float32, nil)
	b := graph.NewBuilder(g)
	y := b.Add(ops.Neg, nil, x)
	first, second := b.Add(ops.ReduceSumLike, nil, y, like), b.Add(ops.ReduceSumLike, nil, y, x)
	inner := b.Add(ops.Exp, nil, b.Add(ops.ReduceSumLike, nil, y, like))
	fed := b.Add(ops.Exp, nil, b.Add(ops.ReduceSumLike, nil, x, like))
	shown := b.Add(ops.Identity, nil, b.Add(ops.ReduceSumLike, nil, y, like))
	fetch := []graph.Value{y, first, second, inner, fed, shown}
	prog := compile(t, g, fetch)
	for _, c := range []struct {
		like  tensor.Shape
		views int // with the Identity
		want  [6][]float32
	}{
		{tensor.Shape{1, 2}, 2, [6][]float32{{-1, -2}, {-1, -2}, {-1, -2}, {0.36787945, 0.13533528}, {2.7182817, 7.389056}, {-1, -2}}},
		{tensor.Shape{1}, 1, [6][]float32{{-1, -2}, {-3}, {-1, -2}, {0.049787067}, {20.085537}, {-3}}},
	} {
		in := tensor.From([]float32{1, 2}, 1, 2)
		out, err := prog.Run(t.Context(), []*tensor.Tensor{in, tensor.New(tensor.Float32, c.like...)})
		if err != nil {
			t.Fatal(err)
		}
		views := 0
		for i := range prog.plans[0].steps {
			if prog.plans[0].steps[i].view {
				views++
			}
		}
		if views != c.views {
			t.Errorf("like %v: %d views, want %d", c.like, views, c.views)
		}
		for i, want := range c.want {
			for k, v := range want {
				if d := out[i].F32()[k]/v - 1; d > 1e-6 || d < -1e-6 {
					t.Errorf("like %v: result %d is %v, want %v", c.like, i, out[i].F32(), want)
				}
			}
			for k := range i {
				if &out[i].F32()[0] == &out[k].F32()[0] {
					t.Errorf("like %v: results %d and %d share memory", c.like, i, k)
				}
			}
		}
	}
}
