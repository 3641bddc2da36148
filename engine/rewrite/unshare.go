package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Unshare turns Identity nodes on parameters into parameters of their own, named as the Identity's output, and returns which parameter of
// the file each was made from. They have one storage until the model is thawed. PyTorch's exporter shares parameters of equal value in
// this way, which training must undo. Only nodes of which own is true are taken: those that the file can have a parameter in the place of.
func Unshare(g *graph.Graph, own func(n *graph.Node) bool) map[graph.Value]graph.Value {
	made := map[graph.Value]graph.Value{}
	var kept []*graph.Node
	for _, n := range g.Nodes {
		if n.Op == ops.Identity && own(n) && g.Info(n.In[0]).Kind == graph.Parameter {
			from, out := g.Info(n.In[0]), g.Info(n.Out[0])
			out.Kind, out.Data, out.Def = graph.Parameter, from.Data, nil
			made[n.Out[0]] = n.In[0]
			if first, ok := made[n.In[0]]; ok {
				made[n.Out[0]] = first
			}
			continue
		}
		kept = append(kept, n)
	}
	g.Nodes = kept
	return made
}
