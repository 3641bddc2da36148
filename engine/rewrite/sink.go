package rewrite

import "github.com/gtk-onnx/gtk/engine/graph"

// Sink makes the constants that bodies capture constants of the bodies, whose kernels then can prepare them and whose shapes then can be
// planned. It comes after differentiation, which asks what a body depends on by what it captures.
func Sink(g *graph.Graph) {
	for _, n := range g.Nodes {
		for k, b := range n.Bodies {
			captured := n.Captured(k)
			constant := func(i int) bool { return g.Info(captured[i]).Kind == graph.Constant }
			for i, v := range captured {
				if constant(i) {
					in := b.G.Info(b.G.Inputs[b.Formals+i])
					in.Kind, in.Data = graph.Constant, g.Info(v).Data
				}
			}
			n.Release(k, constant)
			Sink(b.G)
		}
	}
}
