package rewrite

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// LowerPrivate writes the nodes of private operators in ONNX's own, repeatedly, until none is left that has a lowering, in bodies too.
func LowerPrivate(g *graph.Graph) error {
	for _, n := range g.Nodes {
		for _, b := range n.Bodies {
			if err := LowerPrivate(b.G); err != nil {
				return fmt.Errorf("%w, in %s", err, n.Label())
			}
		}
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
			b := graph.NewBuilder(g)
			b.For = n.For
			first, begin := g.TakeID(), len(g.Nodes)
			out, err := n.Op.Lower(b, n)
			if err == nil {
				err = b.Err()
			}
			if err != nil {
				return fmt.Errorf("rewrite: %s: %w", n.Label(), err)
			}
			for i, v := range n.Out {
				if v != 0 {
					if i >= len(out) || out[i] == 0 {
						return fmt.Errorf("rewrite: %s: the lowering gives no output %d", n.Label(), i)
					}
					w := out[i]
					if d := g.Info(w).Def; d == nil || d.ID < first || g.Info(w).Kind != graph.Computed {
						w = b.Add(ops.Identity, nil, w) // a value that was there before keeps its own name
					}
					g.Alias(g.Nodes[begin:], v, w)
					to[w] = v
				}
			}
			changed = true
		}
		if !changed {
			return nil
		}
	}
	return nil
}
