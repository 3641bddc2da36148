package engine

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// use is a place where a value is read: input in of node n of graph g.
type use struct {
	g  *graph.Graph
	n  *graph.Node
	in int
}

// formal describes the input that u is; nil when the operator has none there.
func (u use) formal() *graph.Formal { return u.n.Op.FormalIn(u.in) }

// other is the other operand of a node of two, 0 when there are more or fewer.
func (u use) other() graph.Value {
	if u.n.NumIn != 2 || u.in > 1 {
		return 0
	}
	return u.n.In[1-u.in]
}

// readers finds where values are read, in bodies too.
type readers map[*graph.Graph]map[graph.Value][]use

// direct are the reads of v of g: inputs of nodes, and inside the bodies that capture v.
func (r readers) direct(g *graph.Graph, v graph.Value) []use {
	all := r[g]
	if all == nil {
		all = map[graph.Value][]use{}
		for _, n := range g.Nodes {
			for i, x := range n.In[:n.NumIn] {
				if x != 0 {
					all[x] = append(all[x], use{g, n, i})
				}
			}
			for k, b := range n.Bodies {
				for i, x := range n.Captured(k) {
					all[x] = append(all[x], r.direct(b.G, b.G.Inputs[b.Formals+i])...)
				}
			}
		}
		r[g] = all
	}
	return all[v]
}

// ends are the reads of v, seen through views: where a weight that is transposed, reshaped or cast is used in the end. An end that is an
// output of g has no node.
func (r readers) ends(g *graph.Graph, v graph.Value) []use {
	var out []use
	if slices.Contains(g.Outputs, v) {
		out = append(out, use{g: g})
	}
	for _, u := range r.direct(g, v) {
		if u.n.Op.Role != graph.View || u.in != 0 || len(u.n.Out) == 0 {
			out = append(out, u)
			continue
		}
		out = append(out, r.ends(u.g, u.n.Out[0])...)
	}
	return out
}

// source is what v of g shows, seen back through views.
func source(g *graph.Graph, v graph.Value) graph.Value {
	for v != 0 {
		n := g.Info(v).Def
		if n == nil || n.Op.Role != graph.View {
			break
		}
		v = n.In[0]
	}
	return v
}

// constShape is the shape of v, which shows a constant or parameter through views; nil where it cannot be inferred.
func constShape(g *graph.Graph, v graph.Value) tensor.Shape {
	in := g.Info(v)
	if in.Data != nil {
		return in.Data.Shape()
	}
	n := in.Def
	if n == nil || n.Op.Role != graph.View {
		return nil
	}
	operands := make([]graph.Operand, n.NumIn)
	for i, x := range n.In[:n.NumIn] {
		if x == 0 {
			continue
		}
		s := constShape(g, x)
		if s == nil {
			return nil
		}
		operands[i] = graph.Operand{Present: true, DType: g.Info(x).DType, Shape: s, Value: g.Info(x).Data}
	}
	c := graph.NewInferCtx(n, operands, 1)
	if n.Op.Infer(n.Attrs, c) != nil {
		return nil
	}
	shapes, _, _ := c.Result()
	return shapes[in.Index]
}
