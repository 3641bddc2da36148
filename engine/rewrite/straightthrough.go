package rewrite

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// StraightThrough makes gradients go through quantised numbers in g and its bodies, which is to be differentiated: rounding counts as the
// identity (see ops.StraightThrough). Of a parameter for which changes is true the content is not known.
func StraightThrough(g *graph.Graph, changes func(graph.Value) bool) error {
	found := false
	for _, n := range g.Nodes {
		for _, body := range n.Bodies {
			if err := StraightThrough(body.G, func(graph.Value) bool { return false }); err != nil {
				return err
			}
		}
		found = found || ops.Quantises(n)
	}
	if !found {
		return nil
	}
	old := g.Nodes
	g.Nodes = nil
	to := map[graph.Value]graph.Value{}
	b := graph.NewBuilder(g)
	for _, n := range old {
		for i, v := range n.In {
			if w, ok := to[v]; ok {
				n.In[i] = w
			}
		}
		begin := len(g.Nodes)
		w := ops.StraightThrough(b, n, changes)
		if err := b.Err(); err != nil {
			return fmt.Errorf("rewrite: %s: %w", n.Label(), err)
		}
		if w == 0 {
			g.Nodes = append(g.Nodes, n)
			continue
		}
		v := n.Out[0]
		for _, m := range g.Nodes[begin:] {
			m.Name = n.Name
		}
		g.Alias(g.Nodes[begin:], v, w)
		to[w] = v
	}
	return nil
}

// Severed is the first node of g that quantises what depends on one of by and of which loss depends, so that a part of the gradient would
// be lost; nil when there is none.
func Severed(g *graph.Graph, by []graph.Value, loss graph.Value) *graph.Node {
	live, depends := make([]bool, g.NumValues()), make([]bool, g.NumValues())
	live[loss] = true
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		used := false
		for _, v := range n.Out {
			used = used || v != 0 && live[v]
		}
		if used {
			for _, v := range n.In {
				live[v] = true
			}
		}
	}
	for _, v := range by {
		depends[v] = true
	}
	for _, n := range g.Nodes {
		reached, used := false, false
		for k, v := range n.In {
			reached = reached || v != 0 && depends[v] && n.Differentiable(k) && graph.Differentiable(g.Info(v).DType)
		}
		for _, v := range n.Out {
			used = used || v != 0 && live[v]
		}
		if !reached || !used {
			continue
		}
		if ops.Quantises(n) && n.Out[0] != 0 && live[n.Out[0]] {
			return n
		}
		for _, v := range n.Out {
			if v != 0 {
				depends[v] = true
			}
		}
	}
	return nil
}
