package exec_test

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

// chain adds k nodes to b, most of which can overwrite an input, and now and then an If on one of conds. All values have one shape.
func chain(r *rand.Rand, b *graph.Builder, vals, conds []graph.Value, k, depth int) []graph.Value {
	pick := func() graph.Value { return vals[r.IntN(len(vals))] }
	for range k {
		switch r.IntN(6) {
		case 0:
			vals = append(vals, b.Add(ops.Relu, nil, pick()))
		case 1:
			vals = append(vals, b.Add(ops.Tanh, nil, pick()))
		case 2:
			vals = append(vals, b.Add(ops.Mul, nil, pick(), pick()))
		case 3:
			vals = append(vals, b.Add(ops.Add, nil, pick(), pick()))
		default:
			if depth == 0 || len(conds) == 0 {
				vals = append(vals, b.Add(ops.Sub, nil, pick(), pick()))
				continue
			}
			vals = append(vals, branch(r, b, vals, conds, depth-1)...)
		}
	}
	return vals
}

// branch adds an If with two outputs, some of which are values of the outer graph.
func branch(r *rand.Rand, b *graph.Builder, vals, conds []graph.Value, depth int) []graph.Value {
	var bodies []*graph.Body
	var captured []graph.Value
	c := r.IntN(len(conds))
	for _, attr := range []string{"then_branch", "else_branch"} {
		g := graph.New(attr)
		var in, cs []graph.Value
		for range 1 + r.IntN(4) {
			v := vals[r.IntN(len(vals))]
			captured, in = append(captured, v), append(in, g.AddInput("in", b.DType(v), nil))
		}
		for _, v := range conds[:c] {
			captured, cs = append(captured, v), append(cs, g.AddInput("cond", tensor.Bool, nil))
		}
		ib := graph.NewBuilder(g)
		in = chain(r, ib, in, cs, r.IntN(5), depth)
		g.Outputs = []graph.Value{in[r.IntN(len(in))], in[len(in)-1]}
		b.Fail(ib.Err())
		bodies = append(bodies, &graph.Body{Attr: attr, G: g})
	}
	n := b.AddControl(fmt.Sprintf("if%d", len(vals)), ops.If, nil, conds[c:c+1], []bool{true, true}, bodies, captured)
	if n == nil {
		return nil
	}
	return n.Out
}

// TestBodiesAndMemory runs generated programs with branches, and their gradients, again and again with other conditions and shapes, and
// compares them with the same programs in which the branches taken stand in the place of the If. What a branch or its gradient reads must
// not be overwritten before, and memory must not be given away too early.
func TestBodiesAndMemory(t *testing.T) {
	const nconds = 3
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		g := graph.New("")
		b := graph.NewBuilder(g)
		var vals, conds []graph.Value
		for i := range 3 {
			vals = append(vals, g.AddInput(fmt.Sprintf("x%d", i), tensor.Float32, nil))
		}
		wrt := slices.Clone(vals)
		for i := range nconds {
			conds = append(conds, g.AddInput(fmt.Sprintf("c%d", i), tensor.Bool, nil))
		}
		vals = chain(r, b, vals, conds, 14, 2)
		sum := vals[3]
		for _, v := range vals[4:] {
			sum = b.Add(ops.Add, nil, sum, v)
		}
		g.Outputs = []graph.Value{sum, vals[len(vals)-1], vals[len(vals)/2]}
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		plain := g.Clone()
		// The derivative, once and twice.
		derive := func(g *graph.Graph) []graph.Value {
			fetch := slices.Clone(g.Outputs)
			ds, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, g.Outputs[0])}, wrt, grad.Options{})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			hs, err := grad.HVP(g, g.Outputs[0], wrt, wrt, grad.Options{})
			if err != nil {
				t.Fatalf("seed %d: second order: %v", seed, err)
			}
			return append(fetch, append(ds, hs...)...)
		}
		run := func(p *exec.Program, fetch []graph.Value, feeds []*tensor.Tensor) []*tensor.Tensor {
			out, err := p.Run(t.Context(), feeds)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			var all []*tensor.Tensor
			for _, v := range fetch {
				if v == 0 {
					all = append(all, tensor.New(tensor.Float32, feeds[0].Shape()...))
					continue
				}
				all, out = append(all, out[0].Clone()), out[1:]
			}
			return all
		}
		compile := func(g *graph.Graph, fetch []graph.Value) *exec.Program {
			some := slices.DeleteFunc(slices.Clone(fetch), func(v graph.Value) bool { return v == 0 })
			g.Outputs = nil
			rewrite.Merge(g, some)
			rewrite.Dead(g, some)
			p, err := exec.Compile(g, some, nil)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		fetch := derive(g)
		prog := compile(g, fetch)
		for trial := range 8 {
			n := 1 + r.IntN(40)
			var feeds []*tensor.Tensor
			for range 3 {
				x := tensor.New(tensor.Float32, n)
				for i := range x.F32() {
					x.F32()[i] = float32(r.NormFloat64())
				}
				feeds = append(feeds, x)
			}
			flat := plain.Clone()
			for _, c := range conds {
				x := tensor.Scalar(r.IntN(2) == 0)
				feeds = append(feeds, x)
				in := flat.Info(c)
				in.Kind, in.Data = graph.Constant, x
			}
			flat.Inputs = flat.Inputs[:3]
			rewrite.Sink(flat)
			if err := rewrite.Fold(flat); err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(flat.Nodes, func(n *graph.Node) bool { return len(n.Bodies) > 0 }) {
				t.Fatal("a branch is left")
			}
			ff := derive(flat)
			want := run(compile(flat, ff), ff, feeds[:3])
			got := run(prog, fetch, feeds)
			for i := range want {
				if ok, rep := tensor.AllClose(got[i], want[i], 1e-4, 1e-4); !ok {
					t.Errorf("seed %d, trial %d: result %d: %v", seed, trial, i, rep)
				}
			}
		}
	}
}
