package exec

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// made is an operator of one input and one output for a test.
func made(name string, infer func(*graph.InferCtx) error, run func(*graph.RunCtx) error) *graph.Spec {
	type none struct{}
	return graph.Def[none]{
		Domain: "test", Name: name, Since: []int{1}, In: []graph.Formal{{Name: "X"}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(_ *none, c *graph.InferCtx) error { return infer(c) },
		Run:   func(_ *none, c *graph.RunCtx) error { return run(c) },
	}.Spec()
}

func sameShape(c *graph.InferCtx) error { c.Out(0, c.Shape(0)...); return nil }
func atRun(*graph.InferCtx) error       { return graph.ErrAtRun }
func noRun(*graph.RunCtx) error         { return nil }

// named adds a node with a name.
func named(b *graph.Builder, name string, op *graph.Spec, in ...graph.Value) graph.Value {
	n := b.AddNode(name, op, nil, in, []bool{true})
	if n == nil {
		return 0
	}
	return n.Out[0]
}

// TestNodeErrors makes one node fail in each way that there is: the error names it, what it is and the types and shapes of its inputs.
func TestNodeErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name  string
		build func(b *graph.Builder, x, y graph.Value) graph.Value // the node to fail is called "bad"
		is    error
		want  []string
	}{
		{"shapes that do not fit", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", ops.Add, x, y)
		}, nil, []string{`node "bad" (Add) with inputs float32[2,3], float32[4]:`, "do not broadcast"}},
		{"an absent input", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", ops.Clip, x, 0, y)
		}, nil, []string{`node "bad" (Clip) with inputs float32[2,3], -, float32[4]:`}},
		{"what only the run tells", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", ops.Reshape, x, b.Add(ops.Cast, castTo(t, tensor.Int64), y))
		}, nil, []string{`node "bad" (Reshape) with inputs float32[2,3], int64[4]:`}},
		{"an error of the kernel", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", made("Fails", sameShape, func(*graph.RunCtx) error { return broken }), x)
		}, broken, []string{`node "bad" (test.Fails) with inputs float32[2,3]: broken`}},
		{"a panic of the kernel", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", made("Panics", sameShape, func(*graph.RunCtx) error { panic("oh") }), x)
		}, nil, []string{`node "bad" (test.Panics): internal error: oh`}},
		{"a panic of the shape rule", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", made("Shapeless", func(*graph.InferCtx) error { panic("ah") }, noRun), x)
		}, nil, []string{`node "bad" (test.Shapeless): internal error: ah`}},
		{"no shape", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", made("Silent", func(*graph.InferCtx) error { return nil }, noRun), x)
		}, nil, []string{`node "bad" (test.Silent)`, "no shape for output 0"}},
		{"no output", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", made("Lazy", atRun, noRun), x)
		}, nil, []string{`node "bad" (test.Lazy) with inputs float32[2,3]: kernel did not make output 0`}},
		{"an output of another type", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", made("Other", atRun, func(c *graph.RunCtx) error { c.Alloc(0, tensor.Int64, 1); return nil }), x)
		}, nil, []string{`node "bad" (test.Other)`, "output 0 is of type int64, want float32"}},
		{"too much working memory", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", made("Greedy", func(c *graph.InferCtx) error { c.Scratch(min(1<<40, math.MaxInt)); return sameShape(c) }, noRun),
				x)
		}, nil, []string{`node "bad" (test.Greedy) with inputs float32[2,3]: working memory needs 1048576 MiB`}},
		{"too large an output", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return named(b, "bad", made("Huge", func(c *graph.InferCtx) error { c.Out(0, 1<<20, 1<<20); return nil }, noRun), x)
		}, nil, []string{`node "bad" (test.Huge) with inputs float32[2,3]: output of shape [1048576,1048576] needs`}},
		{"inside a body", func(b *graph.Builder, x, y graph.Value) graph.Value {
			var bodies []*graph.Body
			for _, attr := range []string{"then_branch", "else_branch"} {
				g := graph.New(attr)
				in := graph.NewBuilder(g)
				a, c := g.AddInput("a", tensor.Float32, nil), g.AddInput("b", tensor.Float32, nil)
				g.Outputs = []graph.Value{named(in, "bad", ops.MatMul, a, c)}
				bodies = append(bodies, &graph.Body{Attr: attr, G: g})
			}
			cond := b.Add(ops.Cast, castTo(t, tensor.Bool), b.Add(ops.ReduceMax, nil, x))
			return b.AddControl("outer", ops.If, nil, []graph.Value{b.Add(ops.Reshape, nil, cond, b.Ints(1))}, []bool{true}, bodies,
				[]graph.Value{x, y, x, y}).Out[0]
		}, nil, []string{`else_branch: exec: node "bad" (MatMul) with inputs float32[2,3], float32[4]:`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New("")
			b := graph.NewBuilder(g)
			x, y := g.AddInput("x", tensor.Float32, nil), g.AddInput("y", tensor.Float32, nil)
			out := c.build(b, x, y)
			if b.Err() != nil {
				t.Fatal(b.Err())
			}
			prog := compile(t, g, []graph.Value{b.Add(ops.Relu, nil, out)})
			feeds := []*tensor.Tensor{tensor.New(tensor.Float32, 2, 3), tensor.New(tensor.Float32, 4)}
			for range 2 { // the second time the plan may be there
				_, err := prog.Run(context.Background(), feeds)
				e, ok := errors.AsType[*NodeError](err)
				if !ok {
					t.Fatalf("the error is %v, want a NodeError", err)
				}
				if len(c.want) == 1 && e.Node.Name != "bad" {
					t.Errorf("the error is about %s", e.Node.Label())
				}
				for _, w := range c.want {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("the error is\n\t%v\nwithout\n\t%s", err, w)
					}
				}
				if c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("the error does not wrap %v", c.is)
				}
				if p, ok := errors.AsType[*PanicError](err); ok != strings.Contains(c.name, "panic") || ok &&
					!strings.Contains(string(p.Stack),
						"errors_test.go") {
					t.Errorf("a PanicError: %v, want %v", ok, !ok)
				}
			}
		})
	}
}

func castTo(t *testing.T, d tensor.DType) any {
	t.Helper()
	a, err := ops.Cast.DecodeAttrs(graph.Attrs{"to": int64(d)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAfterError runs a program again after a run that failed half way: nothing of it is left.
func TestAfterError(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	fail := false
	odd := made("Sometimes", sameShape, func(c *graph.RunCtx) error {
		if fail {
			panic("now")
		}
		copy(c.Out[0].F32(), c.In[0].F32())
		return nil
	})
	prog := compile(t, g, []graph.Value{b.Add(ops.Neg, nil, named(b, "odd", odd, b.Add(ops.Neg, nil, x)))})
	in := tensor.From([]float32{1, 2, 3}, 3)
	for range 3 {
		fail = true
		if _, err := prog.Run(context.Background(), []*tensor.Tensor{in}); err == nil {
			t.Fatal("no error")
		}
		fail = false
		if out := runs(t, prog, []*tensor.Tensor{in}); !slices.Equal(out[0].F32(), in.F32()) {
			t.Errorf("after an error: %v", out[0].F32())
		}
	}
}

// TestFeedErrors feeds what a graph does not take.
func TestFeedErrors(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	prog := compile(t, g, []graph.Value{b.Add(ops.Relu, nil, x)})
	f := tensor.New(tensor.Float32, 2)
	for _, c := range []struct {
		feeds []*tensor.Tensor
		want  string
	}{
		{nil, "0 inputs given, the graph has 1"},
		{[]*tensor.Tensor{f, f}, "2 inputs given, the graph has 1"},
		{[]*tensor.Tensor{nil}, `input "x" is missing`},
		{[]*tensor.Tensor{tensor.New(tensor.Int64, 2)}, `input "x" has type int64, want float32`},
	} {
		if _, err := prog.Run(context.Background(), c.feeds); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	if _, err := Compile(g, nil, nil); err != nil {
		t.Errorf("fetching nothing: %v", err)
	}
}

// TestNoKernel compiles an operator without a kernel, in a body too.
func TestNoKernel(t *testing.T) {
	type none struct{}
	empty := graph.Def[none]{Domain: "test", Name: "Empty", Since: []int{1}, In: []graph.Formal{{Name: "X"}},
		Out: []graph.Formal{{Name: "Y"}}}.Spec()
	g := graph.New("")
	b := graph.NewBuilder(g)
	named(b, "bad", empty, g.AddInput("x", tensor.Float32, nil))
	if _, err := Compile(g, nil, nil); err == nil || !strings.Contains(err.Error(), `node "bad" (test.Empty) has no kernel`) {
		t.Errorf("error %v", err)
	}
	outer := graph.New("")
	ob := graph.NewBuilder(outer)
	c, x := outer.AddInput("c", tensor.Bool, nil), outer.AddInput("x", tensor.Float32, nil)
	g.Outputs = []graph.Value{g.Nodes[0].Out[0]}
	bodies := []*graph.Body{{Attr: "then_branch", G: g}, {Attr: "else_branch", G: g.Clone()}}
	ob.AddControl("if", ops.If, nil, []graph.Value{c}, []bool{true}, bodies, []graph.Value{x, x})
	if _, err := Compile(outer, nil, nil); err == nil || !strings.Contains(err.Error(),
		`node "if" (If): then_branch: exec: node "bad" (test.Empty) has no kernel`) {
		t.Errorf("error in a body: %v", err)
	}
}

// TestCancel ends a run between two nodes and inside a loop that would never end.
func TestCancel(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	ctx, cancel := context.WithCancel(context.Background())
	after := 0
	stop := made("Stop", sameShape, func(*graph.RunCtx) error { cancel(); return nil })
	count := made("Count", sameShape, func(*graph.RunCtx) error { after++; return nil })
	prog := compile(t, g, []graph.Value{named(b, "count", count, named(b, "stop", stop, x))})
	if _, err := prog.Run(ctx, []*tensor.Tensor{tensor.New(tensor.Float32, 2)}); !errors.Is(err, context.Canceled) || after > 0 {
		t.Errorf("error %v, %d nodes ran after", err, after)
	}

	body := graph.New("body")
	bb := graph.NewBuilder(body)
	body.AddInput("i", tensor.Int64, nil)
	cond, s := body.AddInput("go", tensor.Bool, nil), body.AddInput("s", tensor.Float32, nil)
	ctx, cancel = context.WithCancel(context.Background())
	trips := 0
	slow := made("Slow", sameShape, func(c *graph.RunCtx) error {
		if trips++; trips == 100 {
			cancel()
		}
		copy(c.Out[0].F32(), c.In[0].F32())
		return nil
	})
	body.Outputs = []graph.Value{bb.Add(ops.Identity, nil, cond), named(bb, "slow", slow, s)}
	g = graph.New("")
	b = graph.NewBuilder(g)
	x = g.AddInput("x", tensor.Float32, nil)
	n := b.AddControl("loop", ops.Loop, nil, []graph.Value{0, b.Const(tensor.Scalar(true)), x}, []bool{true}, []*graph.Body{{Attr: "body",
		G: body, Formals: 3}}, nil)
	if bb.Err() != nil || n == nil {
		t.Fatal(bb.Err(), b.Err())
	}
	if _, err := compile(t, g, n.Out).Run(ctx, []*tensor.Tensor{tensor.New(tensor.Float32, 2)}); !errors.Is(err, context.Canceled) ||
		trips > 101 {
		t.Errorf("error %v after %d trips", err, trips)
	}
}
