package rewrite

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// LowerError lists the nodes that have no form in ONNX's operators although their operators have a lowering.
type LowerError struct{ Failed []Failure }

// Failure is a node and why its lowering failed.
type Failure struct {
	Node *graph.Node
	Err  error
}

// Error names the first of them.
func (e *LowerError) Error() string {
	return fmt.Sprintf("rewrite: %s: %v (%d in all)", e.Failed[0].Node.Label(), e.Failed[0].Err, len(e.Failed))
}

// Unwrap are the reasons.
func (e *LowerError) Unwrap() []error {
	var errs []error
	for _, f := range e.Failed {
		errs = append(errs, f.Err)
	}
	return errs
}

// LowerPrivate writes the nodes of private operators in ONNX's own, repeatedly, until none is left that has a lowering, in bodies too.
// A *LowerError lists those whose lowering fails.
func LowerPrivate(g *graph.Graph) error {
	var failed []Failure
	within := func(nodes []*graph.Node) error {
		for _, n := range nodes {
			for _, b := range n.Bodies {
				var e *LowerError
				if err := LowerPrivate(b.G); errors.As(err, &e) {
					failed = append(failed, e.Failed...)
				} else if err != nil {
					return fmt.Errorf("%w, in %s", err, n.Label())
				}
			}
		}
		return nil
	}
	if err := within(g.Nodes); err != nil {
		return err
	}
	refusal := func() error {
		if failed == nil {
			return nil
		}
		return &LowerError{failed}
	}
	for range 8 {
		changed := false
		old := g.Nodes
		g.Nodes = nil
		to := map[graph.Value]graph.Value{}
		for _, n := range old {
			for i, v := range n.In {
				if w, ok := to[v]; ok {
					n.In[i] = w
				}
			}
			if n.Op.Domain == "" || !n.Op.HasLower() {
				g.Nodes = append(g.Nodes, n)
				continue
			}
			b := grad.NewBuilder(g, grad.Options{})
			b.For = n.For
			first, begin := g.TakeID(), len(g.Nodes)
			out, err := n.Op.Lower(b, n)
			if err == nil {
				err = b.Err()
			}
			if err == nil {
				err = whole(n, out)
			}
			if err != nil {
				failed = append(failed, Failure{n, err})
				g.Nodes = g.Nodes[:begin]
				continue
			}
			for i, v := range n.Out {
				if v != 0 {
					w := out[i]
					if d := g.Info(w).Def; d == nil || d.ID < first || g.Info(w).Kind != graph.Computed {
						w = b.Add(ops.Identity, nil, w) // a value that was there before keeps its own name
					}
					g.Alias(g.Nodes[begin:], v, w)
					to[w] = v
				}
			}
			if err := within(g.Nodes[begin:]); err != nil {
				return err
			}
			changed = true
		}
		if !changed || failed != nil {
			return refusal()
		}
	}
	return refusal()
}

// whole fails where out, the lowering of n, lacks an output that n has.
func whole(n *graph.Node, out []graph.Value) error {
	for i, v := range n.Out {
		if v != 0 && (i >= len(out) || out[i] == 0) {
			return fmt.Errorf("the lowering gives no output %d", i)
		}
	}
	return nil
}
