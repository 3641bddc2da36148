package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// maskFromInput lets gradients of batch normalisations with a Relu compute its mask from what they read anyway.
func maskFromInput(g *graph.Graph) {
	for _, n := range g.Nodes {
		if n.NumIn == 6 && n.In[5] != 0 {
			if bn := g.Info(n.In[5]).Def; bn != nil {
				ops.MaskFromInput(bn, n)
			}
		}
	}
}
