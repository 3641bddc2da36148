package grad

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// use is one place where a parameter is used, with what that place contributes to its per-example gradient.
type use struct {
	node *graph.Node
	pe   graph.PerExample
}

// PerExample adds to g, for each of params, the squared norm of the gradient of each example, [N], and returns them in the order of
// params; 0 where the loss does not depend on the parameter. The seeds must be those of a sum of losses, one for each example,
// where example i is index i of axis 0 of every value that depends on the input (the caller checks that).
//
// A graph with bodies (If, Loop, Scan) is refused with errors.ErrUnsupported: there, one example at a time is the way.
//
// A parameter that is used in several places has its per-example gradients added before they are squared.
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
	s.params = map[graph.Value]bool{}
	s.example = map[graph.Value][]use{}
	all := append([]graph.Value(nil), params...)
	same := normPreserving(g, params)
	for v := range same {
		s.params[v] = true
		all = append(all, v)
	}
	for _, v := range params {
		s.params[v] = true
	}
	if err := s.run(g.Nodes[:len(g.Nodes):len(g.Nodes)], seeds, nil, all); err != nil {
		return nil, err
	}
	out := make([]graph.Value, len(params))
	for i, p := range params {
		uses := s.example[p]
		for v, of := range same {
			if of != p || len(s.example[v]) == 0 {
				continue
			}
			if len(uses) > 0 {
				return nil, fmt.Errorf("grad: parameter %q is used both as it is and through %s: %w",
					g.Info(p).Name, g.Info(v).Def.Label(), errors.ErrUnsupported)
			}
			uses = append(uses, s.example[v]...)
		}
		switch {
		case len(uses) == 0:
		case len(uses) == 1 && uses[0].pe.Norm2 != 0:
			out[i] = uses[0].pe.Norm2
		default:
			var sum graph.Value
			for _, u := range uses {
				if u.pe.Grad == 0 {
					return nil, fmt.Errorf("grad: parameter %q is used several times and %s gives no per-example gradient: %w",
						g.Info(p).Name, u.node.Label(), errors.ErrUnsupported)
				}
				if sum == 0 {
					sum = u.pe.Grad
				} else {
					sum = s.b.Add(ops.Add, nil, sum, u.pe.Grad)
				}
			}
			out[i] = ops.RowSumSquares(s.b, sum)
		}
	}
	return out, s.b.Err()
}

// normPreserving maps values that hold the elements of a parameter in another order or shape to that parameter.
func normPreserving(g *graph.Graph, params []graph.Value) map[graph.Value]graph.Value {
	of := map[graph.Value]graph.Value{}
	for _, p := range params {
		of[p] = p
	}
	for _, n := range g.Nodes {
		if p := of[first(n.In)]; p != 0 && (n.Op == ops.Transpose || n.Op.View) && n.Op.Domain == "" {
			of[n.Out[0]] = p
		}
	}
	for _, p := range params {
		delete(of, p)
	}
	return of
}

func first(vs []graph.Value) graph.Value {
	if len(vs) == 0 {
		return 0
	}
	return vs[0]
}

// perExample asks n's rule for the per-example gradient of input k, the parameter v.
func (s *sweep) perExample(n *graph.Node, dy []graph.Value, k int, v graph.Value) error {
	if v == first(n.In) && (n.Op == ops.Transpose || n.Op.View) && n.Op.Domain == "" {
		return nil // its output counts as the parameter
	}
	if !n.Op.HasPerExample() {
		return fmt.Errorf("parameter %q: no per-example rule: %w", s.g.Info(v).Name, graph.ErrNoGradient)
	}
	pe, err := n.Op.PerExample(s.b, n, dy, k)
	if err != nil {
		return fmt.Errorf("parameter %q: %w", s.g.Info(v).Name, err)
	}
	s.example[v] = append(s.example[v], use{n, pe})
	return nil
}
