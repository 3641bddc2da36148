package ops_test

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// lower replaces the node of p, whose operator has no kernel, by what it is made of, as reading a file does.
func (p *problem) lower() error {
	g, n := p.g, p.node
	g.Nodes = g.Nodes[:len(g.Nodes)-1]
	begin, first := len(g.Nodes), g.TakeID()
	b := graph.NewBuilder(g)
	out, err := n.Op.Lower(b, n)
	if err != nil {
		return err
	}
	for i, v := range n.Out {
		if v == 0 {
			continue
		}
		if i >= len(out) || out[i] == 0 {
			return fmt.Errorf("the lowering has no output %d", i)
		}
		w := out[i]
		if d := g.Info(w).Def; d == nil || d.ID < first {
			w = b.Add(ops.Identity, nil, w)
		}
		g.Alias(g.Nodes[begin:], v, w)
	}
	return b.Err()
}
