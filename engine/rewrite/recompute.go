package rewrite

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Recompute makes the gradient compute again what the forward graph computed, instead of keeping it, where that is a pass over memory and
// what it is computed from is there still: normalisations, whose gradients need their inputs, and transpositions and other shapes of
// these. Values in keep stay as they are. A GELU would be such a pass too; it takes as long as the memory that it saves is worth.
func Recompute(g *graph.Graph, keep []graph.Value) {
	r := &recomputer{patterns: newPatterns(g, keep, nil), at: make(map[*graph.Node]int, len(g.Nodes)), before: map[*graph.Node][]*graph.Node{}}
	for i, n := range g.Nodes {
		r.at[n] = i
	}
	for _, n := range g.Nodes {
		if n.For == nil && len(n.Out) > 0 && n.Out[0] != 0 && !n.Frozen && !r.pinned[n.Out[0]] {
			r.value(n.Out[0])
		}
	}
	if len(r.before) == 0 {
		return
	}
	var nodes []*graph.Node
	for _, n := range g.Nodes {
		nodes = append(append(nodes, r.before[n]...), n)
	}
	g.Nodes = nodes
}

type recomputer struct {
	*patterns
	at     map[*graph.Node]int
	before map[*graph.Node][]*graph.Node // nodes to be put before a node
}

// value makes v be computed again for the nodes of the gradient that read it, if that is worth it.
func (r *recomputer) value(v graph.Value) {
	var back []*graph.Node
	for _, n := range r.readers[v] {
		if n.For != nil && reads(n, v) {
			back = append(back, n)
		}
	}
	if len(back) == 0 {
		return
	}
	first := slices.MinFunc(back, func(a, b *graph.Node) int { return r.at[a] - r.at[b] })
	chain, worth := r.chain(v, r.at[first], 4)
	if !worth {
		return
	}
	again := map[graph.Value]graph.Value{}
	for _, n := range chain {
		c := *n
		c.ID, c.For = r.g.TakeID(), n
		c.In = slices.Clone(n.In)
		for i, u := range c.In {
			if w, ok := again[u]; ok {
				c.In[i] = w
			}
		}
		w := r.g.NewValue(graph.Info{Name: r.g.Info(n.Out[0]).Name + "/again", DType: r.g.Info(n.Out[0]).DType, Def: &c})
		c.Out = []graph.Value{w}
		again[n.Out[0]] = w
		r.before[first] = append(r.before[first], &c)
	}
	for _, n := range back {
		n.In = slices.Clone(n.In)
		for i, u := range n.In {
			if u == v {
				n.In[i] = again[v]
			}
		}
	}
	r.readers[v] = slices.DeleteFunc(r.readers[v], func(n *graph.Node) bool { return slices.Contains(back, n) })
}

// chain is the nodes that compute v from what is there at a place in the order, v's own last; worth is false when they are too many, or
// not of those that are computed again.
func (r *recomputer) chain(v graph.Value, at, depth int) (nodes []*graph.Node, worth bool) {
	n := r.g.Info(v).Def
	if n == nil || n.For != nil || n.Frozen || depth == 0 || r.g.Info(v).Index != 0 {
		return nil, false
	}
	switch n.Op {
	case ops.LayerNormalization, ops.RMSNormalization:
		if !slices.ContainsFunc(n.In, func(u graph.Value) bool { return u != 0 && !r.there(u, at) }) {
			return []*graph.Node{n}, true
		}
	case ops.Transpose, ops.Reshape:
		if r.there(n.In[0], at) || slices.ContainsFunc(n.In[1:], func(u graph.Value) bool { return r.g.Info(u).DType.IsFloat() }) {
			return nil, false
		}
		nodes, worth = r.chain(n.In[0], at, depth-1)
		return append(nodes, n), worth
	}
	return nil, false
}

// there reports whether u is kept for a node of the gradient at that place or later, or all the time.
func (r *recomputer) there(u graph.Value, at int) bool {
	if r.g.Info(u).Data != nil || r.g.Info(u).Kind == graph.Input {
		return true
	}
	return slices.ContainsFunc(r.readers[u], func(n *graph.Node) bool { return n.For != nil && r.at[n] >= at && reads(n, u) })
}

// reads reports whether n reads what v holds, not only its shape.
func reads(n *graph.Node, v graph.Value) bool {
	for i, u := range n.In {
		if u == v && (i >= n.NumIn || n.Op.Reads(i)) {
			return true
		}
	}
	return false
}
