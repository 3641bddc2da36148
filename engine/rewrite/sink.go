package rewrite

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Sink makes the constants that bodies capture constants of the bodies, whose kernels then can prepare them and whose shapes then can be
// planned. It comes after differentiation, which asks what a body depends on by what it captures.
func Sink(g *graph.Graph) {
	for _, n := range g.Nodes {
		for k, b := range n.Bodies {
			at := n.FirstCaptured(k)
			for i := b.NumCaptured() - 1; i >= 0; i-- {
				outer := g.Info(n.In[at+i])
				if outer.Kind != graph.Constant {
					continue
				}
				in := b.G.Info(b.G.Inputs[b.Formals+i])
				in.Kind, in.Data = graph.Constant, outer.Data
				b.G.Inputs = slices.Delete(b.G.Inputs, b.Formals+i, b.Formals+i+1)
				n.In = slices.Delete(n.In, at+i, at+i+1)
				if i < len(b.Names) {
					b.Names = slices.Delete(b.Names, i, i+1)
				}
			}
			Sink(b.G)
		}
	}
}
