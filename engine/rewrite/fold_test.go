package rewrite_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestFold folds what follows from constants alone.
func TestFold(t *testing.T) {
	for _, e := range []example{
		{name: "constants", nodes: "a = Mul(c, c) | d = Neg(a) | y = Add(x, d)", want: "Add"},
		{name: "what reads an input", nodes: "a = Tanh(s) | d = Mul(a, b) | e = Neg(x) | y = Add(e, one)", want: "Neg Add"},
		{name: "kept", nodes: "a = Tanh(one) | d = Neg(a) | y = Add(x, d)", keep: "a", want: "Add"},
		{name: "parameters", plain: true,
			nodes: "a = Conv(x, w; pads=[1,1,1,1]) | n = Tanh(w) | m2 = Conv(x, n; pads=[1,1,1,1]) | y = Add(a, m2)",
			want:  "Conv Tanh Conv Add"},
	} {
		e.check(t, func(t *testing.T, g *graph.Graph, keep []graph.Value) {
			if !e.plain {
				rewrite.Freeze(g, nil)
			}
			if err := rewrite.Fold(g); err != nil {
				t.Fatal(err)
			}
			rewrite.Dead(g, keep)
		})
	}
}

// TestFoldExcept leaves what a gradient is wanted by, and the nodes that read it.
func TestFoldExcept(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	c := b.Const(tensor.From([]float32{1, -2}, 2))
	inner := b.Add(ops.Neg, nil, c)
	other := b.Add(ops.Abs, nil, c)
	y := b.Add(ops.Add, nil, b.Add(ops.Tanh, nil, inner), other)
	for _, k := range []struct {
		except graph.Value
		want   string
	}{{0, ""}, {c, "Neg Abs Tanh Add"}, {inner, "Neg Tanh Add"}, {other, "Abs Add"}, {y, "Add"}} {
		h := g.Clone()
		if err := rewrite.Fold(h, k.except); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, n := range h.Nodes {
			left = append(left, n.Op.Name)
		}
		if got := strings.Join(left, " "); got != k.want {
			t.Errorf("except %d: %s is left, want %s", k.except, got, k.want)
		}
	}
}

// TestFoldLeaves leaves random nodes alone: folded they would give the same numbers for ever. What is too large for the budget stays too.
func TestFoldLeaves(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	attrs, err := ops.DropoutTrain.DecodeAttrs(graph.Attrs{"ratio": float32(0.5)})
	if err != nil {
		t.Fatal(err)
	}
	drop := b.Add(ops.DropoutTrain, attrs, b.Const(tensor.New(tensor.Float32, 100)), b.Const(tensor.Scalar(int64(1))))
	large := b.Add(ops.Expand, nil, b.Const(tensor.Scalar(float32(1))), b.Ints(1<<11, 1<<11))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if err := rewrite.Fold(g); err != nil {
		t.Fatal(err)
	}
	for v, what := range map[graph.Value]string{drop: "a random node", large: "4 million numbers out of one"} {
		if g.Info(v).Kind != graph.Computed {
			t.Errorf("%s was folded", what)
		}
	}
}

// TestFoldIf puts the branch that a constant condition chooses in the place of the If, which may be inside another.
func TestFoldIf(t *testing.T) {
	for _, inner := range []bool{true, false} {
		for _, outer := range []bool{true, false} {
			g := graph.New("")
			b := graph.NewBuilder(g)
			x := g.AddInput("x", tensor.Float32, nil)
			y := branches(t, b, "outer", outer, x, func(b *graph.Builder, x graph.Value) graph.Value {
				return b.Add(ops.Neg, nil, branches(t, b, "inner", inner, x, func(b *graph.Builder, x graph.Value) graph.Value {
					return b.Add(ops.Abs, nil, x)
				}, func(b *graph.Builder, x graph.Value) graph.Value { return x }))
			}, func(b *graph.Builder, x graph.Value) graph.Value { return b.Add(ops.Tanh, nil, x) })
			fetch := []graph.Value{y, b.Add(ops.Exp, nil, y)}
			g.Outputs = fetch
			in := []*tensor.Tensor{tensor.From([]float32{-1, 0.5}, 2)}
			want, err := run(g, fetch, in)
			if err != nil {
				t.Fatal(err)
			}
			if err := rewrite.Fold(g); err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return len(n.Bodies) > 0 }) {
				t.Errorf("outer %v, inner %v: a branch is left", outer, inner)
			}
			for _, keep := range [][]graph.Value{fetch, g.Outputs} { // who holds the old values, and who reads the graph's outputs
				got, err := run(g, keep, in)
				if err != nil {
					t.Fatal(err)
				}
				if err := differ(pass{exact: true}, got, want); err != nil {
					t.Errorf("outer %v, inner %v: %v", outer, inner, err)
				}
			}
		}
	}
}

// branches adds an If on a constant whose branches are then and otherwise of x.
func branches(t *testing.T, b *graph.Builder, name string, cond bool, x graph.Value, then, otherwise func(*graph.Builder,
	graph.Value) graph.Value) graph.Value {
	t.Helper()
	var bodies []*graph.Body
	for i, f := range []func(*graph.Builder, graph.Value) graph.Value{then, otherwise} {
		body := graph.New("")
		in := graph.NewBuilder(body)
		body.Outputs = []graph.Value{f(in, body.AddInput("x", tensor.Float32, nil))}
		b.Fail(in.Err())
		bodies = append(bodies, &graph.Body{Attr: []string{"then_branch", "else_branch"}[i], G: body})
	}
	n := b.AddControl(name, ops.If, nil, []graph.Value{b.Const(tensor.Scalar(cond))}, []bool{true}, bodies, []graph.Value{x, x})
	if n == nil {
		t.Fatal(b.Err())
	}
	return n.Out[0]
}
