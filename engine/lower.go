package engine

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// lower replaces n, the last node of s, whose operator has no kernel, by the simpler operators that it is made of, as a function is
// replaced by its nodes. They compute the outputs of n.
func (im *importer) lower(s *scope, n *graph.Node) error {
	g := s.g
	for i, v := range n.In[:n.NumIn] {
		f := n.Op.FormalIn(i)
		if v == 0 || f == nil || !f.NoGrad {
			continue
		}
		if v = s.f.from(v); v != 0 && im.main.g.Info(v).Kind == graph.Parameter {
			im.still[v] = fmt.Sprintf("%s reads it as its input %s, where no gradient goes", n.Label(), f.Name)
		}
	}
	g.Nodes = g.Nodes[:len(g.Nodes)-1]
	begin, first := len(g.Nodes), g.TakeID()
	b := grad.NewBuilder(g, grad.Options{})
	b.Prefix = n.Name + "/"
	out, err := n.Op.Lower(b, n)
	if err == nil {
		err = b.Err()
	}
	if err != nil {
		return im.malformed(n.Label(), err.Error())
	}
	for i, v := range n.Out {
		if v == 0 {
			continue
		}
		if i >= len(out) || out[i] == 0 {
			return fmt.Errorf("engine: %s: output %d is not supported: leave it out of the model", n.Label(), i)
		}
		w := out[i]
		if d := g.Info(w).Def; d == nil || d.ID < first { // what was there before keeps its name
			w = b.Add(ops.Identity, nil, w)
		}
		g.Alias(g.Nodes[begin:], v, w)
	}
	if im.left -= len(g.Nodes) - begin; im.left < 0 {
		return im.malformed(n.Label(), "functions expand to too many nodes")
	}
	for _, m := range g.Nodes[begin:] {
		if m.Name = n.Name + "/" + m.Op.Name; n.Op.Domain == "" {
			m.Opset = n.Opset
		}
		if !m.Op.HasRun() {
			return fmt.Errorf("engine: %s: its lowering has %s, which has no kernel", n.Label(), m.Label())
		}
	}
	return b.Err()
}
