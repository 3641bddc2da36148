package grad_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// program is a graph with the floating-point values a and b, a trip count m, a condition c and one node named "outer" with a body that
// captures a and b.
type program struct {
	g     *graph.Graph
	b     *graph.Builder
	a, bb graph.Value
	m, c  graph.Value
	node  *graph.Node
}

// opaque is an operator that has no gradient and should have one.
var opaque = graph.Def[struct{}]{Name: "Opaque", Since: []int{1}, In: []graph.Formal{{Name: "X"}}, Out: []graph.Formal{{Name: "Y"}}}.Spec()

func newProgram() *program {
	p := &program{g: graph.New("")}
	p.b = graph.NewBuilder(p.g)
	p.a, p.bb = p.g.AddParam("a", tensor.From([]float32{1, 2}, 2)), p.g.AddParam("b", tensor.From([]float32{3, 4}, 2))
	p.m, p.c = p.g.AddInput("m", tensor.Int64, nil), p.g.AddInput("c", tensor.Bool, nil)
	return p
}

// body is a body with the formals, then a and b.
func (p *program) body(attr string, formals []tensor.DType,
	f func(b *graph.Builder, x []graph.Value, a, bb graph.Value) []graph.Value) *graph.Body {
	g := graph.New(attr)
	var x []graph.Value
	for _, d := range formals {
		x = append(x, g.AddInput("x", d, nil))
	}
	a, bb := g.AddInput("a", tensor.Float32, nil), g.AddInput("b", tensor.Float32, nil)
	b := graph.NewBuilder(g)
	g.Outputs = f(b, x, a, bb)
	p.b.Fail(b.Err())
	return &graph.Body{Attr: attr, G: g, Formals: len(formals)}
}

// loop adds the node "outer", a Loop with one state that begins as a.
func (p *program) loop(t *testing.T, outs int, f func(b *graph.Builder, x []graph.Value, a, bb graph.Value) []graph.Value) {
	t.Helper()
	body := p.body("body", []tensor.DType{tensor.Int64, tensor.Bool, tensor.Float32}, f)
	p.node = p.b.AddControl("outer", ops.Loop, nil, []graph.Value{p.m, p.c, p.a}, slices.Repeat([]bool{true}, outs), []*graph.Body{body},
		[]graph.Value{p.a, p.bb})
	if err := p.b.Err(); err != nil {
		t.Fatal(err)
	}
}

func (p *program) reverse(outs ...int) ([]graph.Value, error) {
	var seeds []grad.Seed
	for _, o := range outs {
		seeds = append(seeds, grad.Ones(p.g, p.node.Out[o]))
	}
	return grad.Reverse(p.g, seeds, []graph.Value{p.a, p.bb}, grad.Options{})
}

// A node without a gradient in a body is an error that names it, the node around it, what acts through them, and what to do.
func TestNoGradientInBody(t *testing.T) {
	p := newProgram()
	p.loop(t, 1, func(b *graph.Builder, x []graph.Value, a, bb graph.Value) []graph.Value {
		n := b.AddNode("inner", opaque, nil, []graph.Value{b.Add(ops.Mul, nil, x[2], bb)}, []bool{true})
		return []graph.Value{b.Add(ops.Identity, nil, x[1]), n.Out[0]}
	})
	_, err := p.reverse(0)
	var e *grad.Error
	if !errors.As(err, &e) || !errors.Is(err, graph.ErrNoGradient) {
		t.Fatalf("error is %v", err)
	}
	if len(e.Nodes) != 1 || e.Nodes[0].Node.Name != "inner" || len(e.Nodes[0].Within) != 1 || e.Nodes[0].Within[0] != p.node {
		t.Errorf("the error is about %+v", e.Nodes)
	}
	for _, s := range []string{`node "outer" (Loop)`, `node "inner" (Opaque)`, `"a", "b" act through it`, "freeze", "later layer"} {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %s", err, s)
		}
	}
}

// What stands beside the path of the gradient does no harm: here the operator without a gradient leads to the stacked output alone.
func TestNoGradientBesideThePath(t *testing.T) {
	p := newProgram()
	p.loop(t, 2, func(b *graph.Builder, x []graph.Value, a, bb graph.Value) []graph.Value {
		return []graph.Value{b.Add(ops.Identity, nil, x[1]), b.Add(ops.Mul, nil, x[2], a), b.Add(opaque, nil, bb)}
	})
	ds, err := p.reverse(0)
	if err != nil {
		t.Fatal(err)
	}
	if ds[0] == 0 || ds[1] != 0 {
		t.Errorf("gradients %v, want one by a and none by b", ds)
	}
	if _, err = p.reverse(1); !errors.Is(err, graph.ErrNoGradient) {
		t.Errorf("by the stacked output: %v", err)
	}
}

// Conditions, trip counts and indices carry no gradient: what acts through them alone has a gradient of zero, and no error.
func TestIntegersCarryNothing(t *testing.T) {
	p := newProgram()
	p.loop(t, 2, func(b *graph.Builder, x []graph.Value, a, bb graph.Value) []graph.Value {
		least := b.Add(ops.ArgMin, nil, bb)
		whole := b.Add(ops.Cast, ops.CastTo(tensor.Float32), b.Add(ops.Cast, ops.CastTo(tensor.Int64), bb))
		below := b.Add(ops.Less, nil, b.Add(ops.ReduceSum, nil, b.Add(ops.Hardmax, nil, bb)), b.Scalar(tensor.Float32, 9))
		s := b.Add(ops.Mul, nil, x[2], b.Add(ops.Gather, nil, a, least))
		return []graph.Value{b.Add(ops.Reshape, nil, below, b.Ints(1)), s, whole}
	})
	ds, err := p.reverse(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if ds[0] == 0 || ds[1] != 0 {
		t.Errorf("gradients %v, want one by a and none by b", ds)
	}
}

// Version 8 of Scan has no gradient, and neither has a body that draws random numbers.
func TestBodiesWithoutGradient(t *testing.T) {
	p := newProgram()
	old, _ := ops.Standard.Find("", "Scan", 8)
	attrs, err := old.DecodeAttrs(graph.Attrs{"num_scan_inputs": int64(1)})
	if err != nil {
		t.Fatal(err)
	}
	body := p.body("body", []tensor.DType{tensor.Float32, tensor.Float32},
		func(b *graph.Builder, x []graph.Value, a, bb graph.Value) []graph.Value {
			return []graph.Value{b.Add(ops.Mul, nil, b.Add(ops.Add, nil, x[0], x[1]), a), bb}
		})
	p.node = p.b.AddControl("outer", old, attrs, []graph.Value{0, p.a, p.a}, []bool{true, true}, []*graph.Body{body},
		[]graph.Value{p.a, p.bb})
	if p.node == nil {
		t.Fatal(p.b.Err())
	}
	_, err = p.reverse(0)
	if !errors.Is(err, graph.ErrNoGradient) || !strings.Contains(err.Error(), `node "outer" (Scan): no gradient; "a" acts through it`) {
		t.Errorf("error is %v", err)
	}

	p = newProgram()
	p.loop(t, 1, func(b *graph.Builder, x []graph.Value, a, bb graph.Value) []graph.Value {
		yes := b.Const(tensor.Scalar(true))
		return []graph.Value{b.Add(ops.Identity, nil, x[1]), b.Add(ops.Dropout, nil, b.Add(ops.Mul, nil, x[2], bb), 0, yes)}
	})
	_, err = p.reverse(0)
	if !errors.Is(err, graph.ErrNoGradient) || !strings.Contains(err.Error(), "draws random numbers") {
		t.Errorf("error is %v", err)
	}
	p = newProgram()
	p.loop(t, 1, func(b *graph.Builder, x []graph.Value, a, bb graph.Value) []graph.Value {
		return []graph.Value{b.Add(ops.Identity, nil, x[1]), b.Add(ops.Dropout, nil, b.Add(ops.Mul, nil, x[2], bb))}
	})
	if _, err = p.reverse(0); err != nil {
		t.Errorf("a Dropout that drops nothing: %v", err)
	}
}

// Examples of a batch share conditions: no per-example rule looks into a body.
func TestPerExampleRefusesBodies(t *testing.T) {
	p := newProgram()
	p.loop(t, 1, func(b *graph.Builder, x []graph.Value, a, bb graph.Value) []graph.Value {
		return []graph.Value{b.Add(ops.Identity, nil, x[1]), b.Add(ops.Mul, nil, x[2], bb)}
	})
	y := p.b.Add(ops.Mul, nil, p.node.Out[0], p.a)
	_, err := grad.PerExample(p.g, []grad.Seed{grad.Ones(p.g, y)}, []graph.Value{p.a}, grad.Options{})
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error is %v", err)
	}
}
