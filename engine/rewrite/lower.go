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
					alias(g, g.Nodes[begin:], v, w, to)
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

// alias makes the value v be what computes w: w's node writes v, so that fetched values keep their names. Only nodes of made, which are
// those that the lowering added, can read w.
func alias(g *graph.Graph, made []*graph.Node, v, w graph.Value, to map[graph.Value]graph.Value) {
	def, k := g.Info(w).Def, g.Info(w).Index
	def.Out[k] = v
	vi := g.Info(v)
	vi.Def, vi.Index = def, k
	to[w] = v
	for _, n := range made {
		for i, x := range n.In {
			if x == w {
				n.In[i] = v
			}
		}
	}
}
