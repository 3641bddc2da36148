package grad_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// scalars is a graph over the inputs x = 2 and y = -3, and what it computes.
type scalars struct {
	*graph.Builder
	t    *testing.T
	x, y graph.Value
}

func newScalars(t *testing.T) *scalars {
	g := graph.New("")
	return &scalars{graph.NewBuilder(g), t, g.AddInput("x", tensor.Float64, nil), g.AddInput("y", tensor.Float64, nil)}
}

func (s *scalars) values(vs ...graph.Value) []float64 {
	s.t.Helper()
	if s.Err() != nil {
		s.t.Fatal(s.Err())
	}
	p, err := exec.Compile(s.G, present(vs), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := p.Run(context.Background(), []*tensor.Tensor{tensor.Scalar(2.0), tensor.Scalar(-3.0)})
	if err != nil {
		s.t.Fatal(err)
	}
	var all []float64
	for _, v := range vs {
		if v == 0 {
			all = append(all, 0)
			continue
		}
		all, out = append(all, out[0].Float64s()[0]), out[1:]
	}
	return all
}

func (s *scalars) reverse(o grad.Options, wrt []graph.Value, seeds ...grad.Seed) []float64 {
	s.t.Helper()
	ds, err := grad.Reverse(s.G, seeds, wrt, o)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.values(ds...)
}

func (s *scalars) expect(got []float64, want ...float64) {
	s.t.Helper()
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			s.t.Errorf("derivatives %v, want %v", got, want)
			return
		}
	}
}

// A value that is used several times, by one node or by many, gets the sum of what comes back.
func TestReverseAddsUp(t *testing.T) {
	s := newScalars(t)
	square := s.Add(ops.Mul, nil, s.x, s.x)
	cube := s.Add(ops.Mul, nil, square, s.x)
	z := s.Add(ops.Add, nil, s.Add(ops.Add, nil, cube, square), s.Add(ops.Mul, nil, s.x, s.y))
	s.expect(s.reverse(grad.Options{}, []graph.Value{s.x, s.y, square}, grad.Ones(s.G, z)), 3*4+2*2-3, 2, 2+1)
}

// Several seeds are one scalar: Σ DY·Y. A seed of nothing is none, and a value may be its own seed.
func TestReverseSeeds(t *testing.T) {
	s := newScalars(t)
	a, b := s.Add(ops.Mul, nil, s.x, s.y), s.Add(ops.Exp, nil, s.x)
	three := s.Scalar(tensor.Float64, 3)
	s.expect(s.reverse(grad.Options{}, []graph.Value{s.x, s.y}, grad.Seed{Y: a, DY: three}, grad.Seed{Y: b, DY: s.y}, grad.Seed{Y: b}),
		3*-3+-3*math.Exp(2), 3*2)
	s.expect(s.reverse(grad.Options{}, []graph.Value{s.x}, grad.Seed{Y: s.x, DY: three}), 3)
	s.expect(s.reverse(grad.Options{}, []graph.Value{a, s.x}, grad.Seed{Y: a, DY: three}, grad.Seed{Y: a, DY: three}), 6, -18)
}

// What the scalar does not depend on has no gradient, and no node is added for it.
func TestReverseOfNothing(t *testing.T) {
	s := newScalars(t)
	z := s.Add(ops.Tanh, nil, s.x)
	s.Add(ops.Exp, nil, s.y)
	seed := grad.Ones(s.G, z)
	before := len(s.G.Nodes)
	ds, err := grad.Reverse(s.G, []grad.Seed{seed}, []graph.Value{s.y}, grad.Options{})
	if err != nil || ds[0] != 0 || len(s.G.Nodes) != before {
		t.Errorf("gradient %d, error %v, %d nodes were added", ds[0], err, len(s.G.Nodes)-before)
	}
}

// Stop ends the way back at a value; what asks for that value itself still has its gradient through others.
func TestReverseStop(t *testing.T) {
	s := newScalars(t)
	inner := s.Add(ops.Mul, nil, s.x, s.y)
	z := s.Add(ops.Add, nil, s.Add(ops.Exp, nil, inner), s.x)
	stop := grad.Options{Stop: func(v graph.Value) bool { return v == inner }}
	s.expect(s.reverse(stop, []graph.Value{s.x, s.y}, grad.Ones(s.G, z)), 1, 0)
	s.expect(s.reverse(grad.Options{}, []graph.Value{s.x, s.y}, grad.Ones(s.G, z)), 1-3*math.Exp(-6), 2*math.Exp(-6))
}

// Override replaces the rules of single nodes, where it gives one.
func TestReverseOverride(t *testing.T) {
	s := newScalars(t)
	a, b := s.Add(ops.Exp, nil, s.x), s.Add(ops.Exp, nil, s.y)
	z := s.Add(ops.Add, nil, a, b)
	o := grad.Options{Override: func(n *graph.Node) grad.Rule {
		if n.Out[0] != a {
			return nil
		}
		return func(b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(ops.Mul, nil, dy[0], b.Scalar(tensor.Float64, 7))}, nil
		}
	}}
	s.expect(s.reverse(o, []graph.Value{s.x, s.y}, grad.Ones(s.G, z)), 7, math.Exp(-3))
	for _, n := range s.G.Nodes {
		if n.Op == ops.Mul && n.For == nil {
			t.Error("a node of a gradient does not say what it is for")
		}
	}
}

// An operator without a rule is differentiated through its lowering, also where one value is two of its inputs.
func TestReverseThroughLowering(t *testing.T) {
	type none struct{}
	product := graph.Def[none]{Domain: "test", Name: "Product", Since: []int{1}, In: []graph.Formal{{Name: "A"}, {Name: "B"}},
		Out:   []graph.Formal{{Name: "C"}},
		Infer: func(_ *none, c *graph.InferCtx) error { c.Out(0); return nil },
		Run: func(_ *none, c *graph.RunCtx) error {
			tensor.Data[float64](c.Out[0])[0] = c.In[0].Float64s()[0] * c.In[1].Float64s()[0]
			return nil
		},
		Lower: func(_ *none, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(ops.Mul, nil, n.In[0], n.In[1])}, nil
		}}.Spec()
	s := newScalars(t)
	square, mixed := s.Add(product, nil, s.x, s.x), s.Add(product, nil, s.x, s.y)
	z := s.Add(ops.Add, nil, square, mixed)
	s.expect(s.reverse(grad.Options{}, []graph.Value{s.x, s.y}, grad.Ones(s.G, z)), 2*2-3, 2)
	v := []graph.Value{s.Scalar(tensor.Float64, 1), s.Scalar(tensor.Float64, 10)}
	hv, err := grad.HVP(s.G, z, []graph.Value{s.x, s.y}, v, grad.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.expect(s.values(hv...), 2+10, 1)
}

// All operators in the way are named at once, with what acts through them.
func TestReverseErrors(t *testing.T) {
	s := newScalars(t)
	w := s.G.AddParam("w", tensor.Scalar(1.0))
	first := s.AddNode("first", opaque, nil, []graph.Value{s.x}, []bool{true}).Out[0]
	second := s.AddNode("second", opaque, nil, []graph.Value{s.Add(ops.Mul, nil, s.y, w)}, []bool{true}).Out[0]
	z := s.Add(ops.Add, nil, first, second)
	_, err := grad.Reverse(s.G, []grad.Seed{grad.Ones(s.G, z)}, []graph.Value{s.x, s.y, w}, grad.Options{})
	e, ok := errors.AsType[*grad.Error](err)
	if !ok || !errors.Is(err, graph.ErrNoGradient) || len(e.Nodes) != 2 {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{`node "first" (Opaque): no gradient`, `node "second" (Opaque): no gradient`,
		`"x", "y", "w" act through it`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, without %s", err, want)
		}
	}
	// What no gradient is asked through is no error.
	if _, err := grad.Reverse(s.G, []grad.Seed{grad.Ones(s.G, z)}, []graph.Value{first}, grad.Options{}); err != nil {
		t.Errorf("by what comes after: %v", err)
	}
	odd := grad.Options{Override: func(n *graph.Node) grad.Rule {
		return func(*graph.Builder, *graph.Node, []graph.Value, []bool) ([]graph.Value, error) {
			return nil, errors.New("odd rule")
		}
	}}
	if _, err := grad.Reverse(s.G, []grad.Seed{grad.Ones(s.G, z)}, []graph.Value{s.x}, odd); err == nil || !strings.Contains(err.Error(),
		"odd rule") {
		t.Errorf("error of a rule: %v", err)
	}
}

// A parameter that is used in another order or shape has the norm of the parameter; one that is used twice has its gradients added first.
func TestPerExampleUses(t *testing.T) {
	const n = 3
	x := tensor.From([]float64{1, 2, -1, 0.5, 3, -2, 0.25, 1, 1, -1, 2, 0}, n, 4)
	w := tensor.From([]float64{0.5, -1, 2, 1, 0, 0.25, -0.5, 1, 1.5, 2, -1, 0.75, 1, 0, 0.5, -2}, 4, 4)
	for _, c := range []struct {
		name string
		net  func(b *graph.Builder, x, w graph.Value) graph.Value
	}{
		{"transposed", func(b *graph.Builder, x, w graph.Value) graph.Value {
			return b.Add(ops.MatMul, nil, x, b.Add(ops.Transpose, nil, w))
		}},
		{"reshaped", func(b *graph.Builder, x, w graph.Value) graph.Value {
			return b.Add(ops.MatMul, nil, x, b.Add(ops.Reshape, nil, b.Add(ops.Transpose, nil, w), b.Ints(4, -1)))
		}},
		{"twice", func(b *graph.Builder, x, w graph.Value) graph.Value {
			return b.Add(ops.MatMul, nil, b.Add(ops.Tanh, nil, b.Add(ops.MatMul, nil, x, w)), w)
		}},
		{"a sum", func(b *graph.Builder, x, w graph.Value) graph.Value {
			return b.Add(ops.Add, nil, b.Add(ops.MatMul, nil, x, w), b.Add(ops.MatMul, nil, b.Add(ops.Neg, nil, x), w))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			build := func() (g *graph.Graph, in, p, loss graph.Value) {
				g = graph.New("")
				b := graph.NewBuilder(g)
				in, p = g.AddInput("x", tensor.Float64, nil), g.AddParam("w", w)
				y := c.net(b, in, p)
				loss = b.Add(ops.ReduceSum, nil, b.Add(ops.Mul, nil, y, b.Add(ops.Tanh, nil, y)))
				if b.Err() != nil {
					t.Fatal(b.Err())
				}
				return g, in, p, loss
			}
			run := func(g *graph.Graph, fetch graph.Value, x *tensor.Tensor) []float64 {
				p, err := exec.Compile(g, []graph.Value{fetch}, nil)
				if err != nil {
					t.Fatal(err)
				}
				out, err := p.Run(context.Background(), []*tensor.Tensor{x})
				if err != nil {
					t.Fatal(err)
				}
				return slices.Clone(out[0].Float64s())
			}
			g, _, p, loss := build()
			ns, err := grad.PerExample(g, []grad.Seed{grad.Ones(g, loss)}, []graph.Value{p}, grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := run(g, ns[0], x)
			for e := range n {
				g, _, p, loss := build()
				d, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, loss)}, []graph.Value{p}, grad.Options{})
				if err != nil {
					t.Fatal(err)
				}
				want := 0.0
				for _, v := range run(g, d[0], tensor.From(tensor.Data[float64](x)[4*e:4*e+4], 1, 4)) {
					want += v * v
				}
				if math.Abs(got[e]-want) > 1e-10*(1+want) {
					t.Errorf("example %d: %v, want %v", e, got[e], want)
				}
			}
		})
	}
}

// A parameter that enters where no rule is names itself and the node.
func TestPerExampleErrors(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x, w := g.AddInput("x", tensor.Float64, nil), g.AddParam("the weight", tensor.From([]float64{1, 2, 3, 4}, 2, 2))
	join, err := ops.Concat.DecodeAttrs(graph.Attrs{"axis": int64(0)})
	if err != nil {
		t.Fatal(err)
	}
	y := b.AddNode("join", ops.Concat, join, []graph.Value{x, w}, []bool{true}).Out[0]
	_, err = grad.PerExample(g, []grad.Seed{grad.Ones(g, y)}, []graph.Value{w}, grad.Options{})
	if !errors.Is(err, graph.ErrNoGradient) || !strings.Contains(err.Error(),
		`node "join" (Concat): parameter "the weight": no per-example rule`) {
		t.Errorf("error %v", err)
	}
	// Where the examples lie is not known, and the entries are the same for all.
	g = graph.New("")
	b = graph.NewBuilder(g)
	x, w = g.AddInput("x", tensor.Float64, nil), g.AddParam("w", tensor.From([]float64{1, 2, 3, 4}, 2, 2))
	at := b.Add(ops.Reshape, nil, b.Add(ops.Shape, nil, x), b.Ints(1, -1))
	y = b.Add(ops.Gather, nil, w, at)
	if _, err := grad.PerExample(g, []grad.Seed{grad.Ones(g, y)}, []graph.Value{w}, grad.Options{}); !errors.Is(err, graph.ErrNoGradient) {
		t.Errorf("entries that are not those of examples: %v", err)
	}
}
