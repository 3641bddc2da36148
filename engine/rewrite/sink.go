package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
)

// Sink makes captured constants constants of the bodies that capture them, in bodies of bodies too: shapes inside can then be inferred
// from them, and kernels keep them packed. Bodies that change are copied first, so that graphs which share them keep theirs.
func Sink(g *graph.Graph) {
	for _, n := range g.Nodes {
		if len(n.Bodies) == 0 {
			continue
		}
		in := append([]graph.Value(nil), n.In[:n.NumIn]...)
		bodies := make([]*graph.Body, len(n.Bodies))
		at := n.NumIn
		for i, b := range n.Bodies {
			bodies[i] = sinkInto(g, b, n.In[at:at+len(b.Captures)])
			in = append(in, bodies[i].Captures...)
			at += len(b.Captures)
		}
		n.In, n.Bodies = in, bodies
	}
}

// sinkInto is b with the constants among captured, the values of g that it captures, inside.
func sinkInto(g *graph.Graph, b *graph.Body, captured []graph.Value) *graph.Body {
	out := &graph.Body{Attr: b.Attr, G: b.G.Clone(), Formals: b.Formals}
	out.G.Inputs = out.G.Inputs[:b.Formals:b.Formals]
	for i, v := range captured {
		inside, info := b.G.Inputs[b.Formals+i], g.Info(v)
		if info.Kind != graph.Constant {
			out.G.Inputs = append(out.G.Inputs, inside)
			out.Captures = append(out.Captures, v)
			out.Names = append(out.Names, info.Name)
			continue
		}
		c := out.G.Info(inside)
		c.Kind, c.Data, c.Dims = graph.Constant, info.Data, nil
	}
	Sink(out.G)
	return out
}
