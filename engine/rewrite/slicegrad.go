package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// FuseSliceGrad makes the gradients of several slices of one value add to one another where they lie, instead of each being a value of that
// size in which nearly everything is zero. Values in keep stay available.
func FuseSliceGrad(g *graph.Graph, keep []graph.Value) {
	f := newFuser(g, keep)
	for _, add := range f.nodes() {
		if add.Op != ops.Add || add.In[0] == add.In[1] || add.Frozen {
			continue
		}
		for _, v := range add.In {
			n := g.Info(v).Def
			if n == nil || n.Frozen || f.only[v] != add || f.dropped(n) {
				continue
			}
			if ops.FuseSliceGrad(g, n, add) {
				f.replace(n, add)
				break
			}
		}
	}
	f.done()
}
