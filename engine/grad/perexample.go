package grad

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Examples says where the examples of a batch are, for PerExample.
type Examples struct {
	// Of is an input that has the examples along its axis Axis.
	Of   graph.Value
	Axis int
	// Rows are where they lie in values that depend on the input; those that it does not have are taken for the zero Rows.
	Rows map[graph.Value]ops.Rows
	// Alone reports whether a value is the same for every batch, in shape and content.
	Alone func(v graph.Value) bool
}

// PerExample adds to g, for each of params, the squared norm of the gradient of each example, [N], and returns them in the order of
// params; 0 where the loss does not depend on the parameter. The seeds must be those of a sum of losses, one for each example. Where the
// examples lie in other values is what o.Examples says; without it, example i is index i of axis 0 of every value that depends on the
// input (the caller checks that).
//
// A graph with bodies (If, Loop, Scan) is refused with errors.ErrUnsupported: there, one example at a time is the way.
//
// A parameter that is used in several places has its per-example gradients added before they are squared. What is made of parameters
// alone, a slice of a table or a transposed weight, is treated as a parameter, and its gradients are taken back to those it is made of.
//
// Source: Goodfellow 2015, "Efficient Per-Example Gradient Computations" (arXiv 1510.01799), extended to convolutions as in
// Rochette et al. 2019 (arXiv 1912.06015); the Gram form as in Bu et al. 2022 (arXiv 2205.10683).
func PerExample(g *graph.Graph, seeds []Seed, params []graph.Value, o Options) ([]graph.Value, error) {
	for _, n := range g.Nodes {
		if len(n.Bodies) > 0 { // a condition or a number of trips may be that of the whole batch
			return nil, fmt.Errorf("grad: %s may treat the examples of a batch together: %w", n.Label(), errors.ErrUnsupported)
		}
	}
	s := newSweep(g, o)
	s.example = map[graph.Value][]use{}
	s.params = made(g, params, o.Examples)
	all := slices.Clone(params)
	for v := range s.params {
		if !slices.Contains(params, v) {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	forward := g.Nodes[:len(g.Nodes):len(g.Nodes)]
	if err := s.run(forward, seeds, nil, all); err != nil {
		return nil, err
	}
	out := make([]graph.Value, len(params))
	for i, p := range params {
		var err error
		if out[i], err = s.norm2(forward, p, all); err != nil {
			return nil, err
		}
	}
	return out, s.b.Err()
}

// made are the params and what is made of them alone.
func made(g *graph.Graph, params []graph.Value, ex *Examples) map[graph.Value]bool {
	set := map[graph.Value]bool{}
	for _, p := range params {
		set[p] = true
	}
	fed := map[graph.Value]bool{} // depends on an input
	for _, v := range g.Inputs {
		fed[v] = true
	}
	alone := func(v graph.Value) bool { return !fed[v] }
	if ex != nil && ex.Alone != nil {
		alone = ex.Alone
	}
	for _, n := range g.Nodes {
		any, all := false, true
		for i, v := range n.In {
			if v == 0 {
				continue
			}
			any = any || set[v]
			all = all && (set[v] || alone(v) || i > 0 && n.Op.View) // the others say a shape, which is asked for below
			for _, y := range n.Out {
				fed[y] = fed[y] || fed[v]
			}
		}
		if !any || !all || n.Op.Random {
			continue
		}
		for _, y := range n.Out {
			if y != 0 && alone(y) && graph.Differentiable(g.Info(y).DType) {
				set[y] = true
			}
		}
	}
	return set
}

// use is one place where a parameter, or what is made of one, meets the examples, with what that place contributes to the gradient of each.
type use struct {
	node *graph.Node
	pe   graph.PerExample
}

// perExample asks n's rule for the per-example gradient of input k, the parameter v.
func (s *sweep) perExample(n *graph.Node, dy []graph.Value, k int, v graph.Value) error {
	begin := len(s.g.Nodes)
	pe, err := s.rule(n, dy, k)
	if err == nil {
		err = s.b.Err()
	}
	if err == nil {
		pe, err = s.arranged(n, pe, v, s.g.Nodes[begin:])
	}
	if err != nil {
		return fmt.Errorf("parameter %q: %w", s.g.Info(v).Name, err)
	}
	s.example[v] = append(s.example[v], use{n, pe})
	return nil
}

// rule is the per-example gradient of n by input k. Without a rule of its own, an operator whose gradient is a sum over what the input was
// broadcast along has the same sum for each example.
func (s *sweep) rule(n *graph.Node, dy []graph.Value, k int) (graph.PerExample, error) {
	if n.Op.HasPerExample() {
		if s.o.Examples == nil && n.Op == ops.Gather && !ops.FromInput(s.g, n.In[1]) {
			return graph.PerExample{}, fmt.Errorf("the indices are not those of examples: %w", graph.ErrNoGradient)
		}
		return n.Op.PerExample(s.b, n, dy, k)
	}
	if n.Op.HasRule() {
		need := make([]bool, len(n.In))
		need[k] = true
		dx, err := n.Op.Grad(s.b, n, dy, need)
		if err == nil && k < len(dx) && dx[k] != 0 {
			if d := s.g.Info(dx[k]).Def; d != nil && d.Op == ops.ReduceSumLike && d.In[1] == n.In[k] {
				g := s.b.Add(ops.PerExampleSumLike, nil, d.In[0], n.In[k])
				return graph.PerExample{Grad: g, Norm2: ops.RowSumSquares(s.b, g)}, nil
			}
		}
	}
	return graph.PerExample{}, fmt.Errorf("no per-example rule: %w", graph.ErrNoGradient)
}

// arranged is pe, what the nodes added by the rule of n give for its input v, for examples that lie where they do: what those nodes read
// is rearranged, or what they give for each row is added up.
func (s *sweep) arranged(n *graph.Node, pe graph.PerExample, v graph.Value, added []*graph.Node) (graph.PerExample, error) {
	ex := s.o.Examples
	if ex == nil {
		return pe, nil
	}
	lie := ops.Rows{}
	for _, y := range slices.Backward(n.Out) {
		if r, ok := ex.Rows[y]; ok {
			lie = r
		}
	}
	where := func(x graph.Value) ops.Rows {
		if r, ok := ex.Rows[x]; ok {
			return r
		}
		return lie // a gradient, and what is computed with it, lies like the output
	}
	if n.Op.Role == graph.Recurrent {
		if r := where(n.In[0]); r.Several || r.Axis != ops.ExampleAxis(n) {
			return pe, fmt.Errorf("the examples are not its batch: %w", graph.ErrNoGradient)
		}
		return pe, nil
	}
	if lie.Axis < 0 {
		return pe, fmt.Errorf("the examples lie along no axis of its output: %w", graph.ErrNoGradient)
	}
	plain := lie == ops.Rows{}
	for _, x := range n.In {
		if r, ok := ex.Rows[x]; ok && r != (ops.Rows{}) {
			plain = false
		}
	}
	if plain {
		return pe, nil
	}
	front := func(x graph.Value) graph.Value {
		if r := where(x); r != (ops.Rows{}) {
			return ops.InFront(s.b, x, r, ex.Of, ex.Axis)
		}
		return x
	}
	known := true
	for _, m := range added {
		_, ok := ops.ExampleSides(m)
		known = known && (ok || !ops.ReadsRows(m.Op))
	}
	if known {
		return s.rearranged(pe, added, front), s.b.Err()
	}
	if lie.Axis != 0 || pe.Grad == 0 {
		return pe, fmt.Errorf("the examples are not its first axis: %w", graph.ErrNoGradient)
	}
	pe.Grad = s.b.Add(ops.PerExampleSumLike, nil, front(pe.Grad), v)
	return graph.PerExample{Grad: pe.Grad, Norm2: ops.RowSumSquares(s.b, pe.Grad)}, s.b.Err()
}

// rearranged makes the nodes added read their examples in front, and the sides of pe have them there. Nodes of a graph stand in order, so
// those that read the rearranged are added once more.
func (s *sweep) rearranged(pe graph.PerExample, added []*graph.Node, front func(graph.Value) graph.Value) graph.PerExample {
	now := map[graph.Value]graph.Value{} // what stands for the outputs of added
	for _, n := range slices.Clone(added) {
		in := slices.Clone(n.In)
		changed := false
		for i, v := range in {
			if w := now[v]; w != 0 {
				in[i], changed = w, true
			}
		}
		sides, _ := ops.ExampleSides(n)
		for _, i := range sides {
			if w := front(in[i]); w != in[i] {
				in[i], changed = w, true
			}
		}
		if changed {
			for o, w := range s.b.AddN(n.Op, n.Attrs, len(n.Out), in...) {
				now[n.Out[o]] = w
			}
		}
	}
	at := func(v graph.Value) graph.Value {
		if w := now[v]; w != 0 {
			return w
		}
		return v
	}
	out := graph.PerExample{Grad: at(pe.Grad), Norm2: at(pe.Norm2)}
	if pe.Left != 0 {
		out.Left, out.Right = front(pe.Left), front(pe.Right)
	}
	return out
}
