package rewrite_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestMerge makes equal nodes one, and leaves what only looks equal.
func TestMerge(t *testing.T) {
	for _, e := range []example{
		{name: "equal", nodes: "a = Tanh(x) | d = Tanh(x) | y = Add(a, d)", want: "Tanh Add"},
		{name: "equal after merging", nodes: "a = Tanh(x) | d = Tanh(x) | e = Neg(a) | f = Neg(d) | y = Add(e, f)", want: "Tanh Neg Add"},
		{name: "another operator", nodes: "a = Tanh(x) | d = Sigmoid(x) | y = Add(a, d)", want: "Tanh Sigmoid Add"},
		{name: "other attributes", nodes: "a = Softmax(r; axis=0) | d = Softmax(r; axis=1) | y = Add(a, d)", want: "Softmax Softmax Add"},
		{name: "another order", nodes: "a = Sub(x, c) | d = Sub(c, x) | y = Add(a, d)", want: "Sub Sub Add"},
		{name: "a default spelt out", nodes: "a = Softmax(r; axis=-1) | d = Softmax(r) | y = Add(a, d)", want: "Softmax Add"},
		{name: "the second kept", nodes: "a = Tanh(x) | d = Tanh(x) | y = Add(a, d)", keep: "d", want: "Tanh Tanh Add"},
		{name: "the first kept", nodes: "a = Tanh(x) | d = Tanh(x) | y = Add(a, d)", keep: "a", want: "Tanh Add"},
		{name: "both outputs", nodes: "y = Tanh(x) | z = Tanh(x)", want: "Tanh Tanh"},
		{name: "parameters of equal content", plain: true, nodes: "a = Mul(r, one) | d = Mul(r, one) | y = Add(a, d)", want: "Mul Add"},
		{name: "other outputs",
			nodes: "p, i = MaxPool(x; kernel_shape=[2,2]) | q = MaxPool(x; kernel_shape=[2,2]) | y = Add(p, q) | z = Identity(i)",
			want:  "MaxPool MaxPool Add Identity"},
	} {
		e.check(t, func(t *testing.T, g *graph.Graph, keep []graph.Value) {
			rewrite.Merge(g, keep)
			rewrite.Dead(g, keep)
		})
	}
}

// TestMergeLeaves leaves random nodes, which give two results, nodes with bodies, and those that are marked; constants of equal content
// become one, of another type or shape not.
func TestMergeLeaves(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	attrs, err := ops.DropoutTrain.DecodeAttrs(graph.Attrs{"ratio": float32(0.5)})
	if err != nil {
		t.Fatal(err)
	}
	seed := b.Const(tensor.Scalar(int64(1)))
	identity := func(_ *graph.Builder, x graph.Value) graph.Value { return x }
	for range 2 {
		b.Add(ops.DropoutTrain, attrs, x, seed)
		branches(t, b, "if", true, x, identity, identity)
		b.Add(ops.Exp, nil, x)
	}
	for _, n := range g.Nodes {
		n.Frozen = n.Op == ops.Exp
	}
	before := len(g.Nodes)
	rewrite.Merge(g, nil)
	if len(g.Nodes) != before {
		t.Errorf("%d nodes are left, want %d", len(g.Nodes), before)
	}

	g = graph.New("")
	b = graph.NewBuilder(g)
	x = g.AddInput("x", tensor.Float32, nil)
	for _, c := range []*tensor.Tensor{tensor.From([]float32{1, 2}, 2), tensor.From([]float32{1, 2}, 2),
		tensor.From([]float32{1, 2}, 1, 2),
		tensor.From([]float32{1, 3}, 2)} {
		b.Add(ops.Add, nil, x, b.Const(c))
	}
	rewrite.Merge(g, nil)
	if len(g.Nodes) != 3 {
		t.Errorf("%d sums with constants are left, want 3", len(g.Nodes))
	}
}

// TestMergeInBodies merges in bodies, each by itself.
func TestMergeInBodies(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	twice := func(b *graph.Builder, x graph.Value) graph.Value {
		return b.Add(ops.Add, nil, b.Add(ops.Tanh, nil, x), b.Add(ops.Tanh, nil, x))
	}
	fetch := []graph.Value{branches(t, b, "if", true, x, twice, twice), b.Add(ops.Tanh, nil, x)}
	in := []*tensor.Tensor{tensor.From([]float32{1, -2}, 2)}
	want, err := run(g, fetch, in)
	if err != nil {
		t.Fatal(err)
	}
	rewrite.Merge(g, fetch)
	for _, body := range g.Nodes[0].Bodies {
		if len(body.G.Nodes) != 2 {
			t.Errorf("%s has %d nodes, want 2", body.Attr, len(body.G.Nodes))
		}
	}
	got, err := run(g, fetch, in)
	if err == nil {
		err = differ(pass{exact: true}, got, want)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestDead drops what nothing reads: nodes, optional outputs, what a body computes and captures in vain.
func TestDead(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	c, y := b.Add(ops.Neg, nil, b.Add(ops.Tanh, nil, x)), b.Add(ops.Abs, nil, x)
	g.Outputs = []graph.Value{y}
	for _, k := range []struct {
		keep []graph.Value
		want int
	}{{[]graph.Value{c}, 3}, {nil, 1}} {
		if rewrite.Dead(g, k.keep); len(g.Nodes) != k.want {
			t.Errorf("%d nodes are left for %v, want %d", len(g.Nodes), k.keep, k.want)
		}
	}
	g, keep, _ := example{nodes: "y, i = MaxPool(x; kernel_shape=[2,2])"}.network(t)
	rewrite.Dead(g, keep)
	if n := g.Nodes[0]; len(n.Out) > 1 && n.Out[1] != 0 {
		t.Error("indices that nobody reads are left")
	}

	g = graph.New("")
	b = graph.NewBuilder(g)
	x, unused := g.AddInput("x", tensor.Float32, nil), g.AddInput("unused", tensor.Float32, nil)
	var bodies []*graph.Body
	for _, attr := range []string{"then_branch", "else_branch"} {
		body := graph.New(attr)
		in := graph.NewBuilder(body)
		u, v := body.AddInput("u", tensor.Float32, nil), body.AddInput("v", tensor.Float32, nil)
		in.Add(ops.Exp, nil, u)
		body.Outputs = []graph.Value{in.Add(ops.Neg, nil, v)}
		bodies = append(bodies, &graph.Body{Attr: attr, G: body})
	}
	n := b.AddControl("if", ops.If, nil, []graph.Value{b.Const(tensor.Scalar(true))}, []bool{true}, bodies,
		[]graph.Value{unused, x, unused,
			x})
	rewrite.Dead(g, n.Out)
	if len(n.In) != 3 || n.In[1] != x || n.In[2] != x || len(n.Bodies[0].G.Nodes) != 1 || len(n.Bodies[1].G.Inputs) != 1 {
		t.Errorf("the bodies have %d and %d nodes and read %v", len(n.Bodies[0].G.Nodes), len(n.Bodies[1].G.Nodes), n.In)
	}
}

// TestSink moves the constants that bodies capture into them, at every depth, and no others.
func TestSink(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x, w := g.AddInput("x", tensor.Float32, nil), g.AddParam("w", tensor.Scalar(float32(3)))
	c := b.Const(tensor.Scalar(float32(2)))
	deep := func(attr string) *graph.Body {
		body := graph.New(attr)
		in := graph.NewBuilder(body)
		var caps []graph.Value
		for range 3 {
			caps = append(caps, body.AddInput("captured", tensor.Float32, nil))
		}
		inner := graph.New("inner")
		ib := graph.NewBuilder(inner)
		p, q, r := inner.AddInput("p", tensor.Float32, nil), inner.AddInput("q", tensor.Float32, nil),
			inner.AddInput("r", tensor.Float32, nil)
		inner.Outputs = []graph.Value{ib.Add(ops.Add, nil, ib.Add(ops.Mul, nil, p, q), r)}
		n := in.AddControl("inner", ops.If, nil, []graph.Value{in.Const(tensor.Scalar(true))}, []bool{true},
			[]*graph.Body{{Attr: "then_branch", G: inner}, {Attr: "else_branch", G: inner.Clone()}}, append(caps, caps...))
		body.Outputs = n.Out
		return &graph.Body{Attr: attr, G: body}
	}
	n := b.AddControl("outer", ops.If, nil, []graph.Value{b.Const(tensor.Scalar(false))}, []bool{true},
		[]*graph.Body{deep("then_branch"), deep("else_branch")}, []graph.Value{x, c, w, x, c, w})
	in := []*tensor.Tensor{tensor.From([]float32{1, -2}, 2)}
	want, err := run(g, n.Out, in)
	if err != nil {
		t.Fatal(err)
	}
	rewrite.Sink(g)
	for _, body := range n.Bodies {
		inner := body.G.Nodes[0]
		if len(body.G.Inputs) != 2 || len(inner.Bodies[0].G.Inputs) != 2 || len(inner.Bodies[1].G.Inputs) != 2 {
			t.Errorf("%s captures %d values, the branches in it %d and %d, want 2: the input and the parameter", body.Attr,
				len(body.G.Inputs),
				len(inner.Bodies[0].G.Inputs), len(inner.Bodies[1].G.Inputs))
		}
	}
	got, err := run(g, n.Out, in)
	if err == nil {
		err = differ(pass{exact: true}, got, want)
	}
	if err != nil {
		t.Error(err)
	}
}
