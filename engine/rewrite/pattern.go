package rewrite

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// patterns finds nodes that compute together what one operator computes, and puts it in their place.
type patterns struct {
	g       *graph.Graph
	pinned  map[graph.Value]bool
	skip    func(*graph.Node) bool
	readers [][]*graph.Node // by value
	ranks   *ranks
	taken   map[*graph.Node]bool
	instead map[*graph.Node]func(*graph.Builder) graph.Value // by the last node of a pattern
}

// newPatterns is for a graph in which the values in keep stay available, and the nodes for which skip is true as they are; a nil skip is
// none.
func newPatterns(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) *patterns {
	p := &patterns{g: g, pinned: map[graph.Value]bool{}, skip: skip, ranks: newRanks(g), readers: g.Readers(),
		taken: map[*graph.Node]bool{}, instead: map[*graph.Node]func(*graph.Builder) graph.Value{}}
	for _, v := range slices.Concat(keep, g.Outputs) {
		p.pinned[v] = true
	}
	return p
}

// def is the node that computes v when it is ONNX's operator of that name and computes nothing else, else nil.
func (p *patterns) def(v graph.Value, name string) *graph.Node {
	if v == 0 {
		return nil
	}
	n := p.g.Info(v).Def
	if n == nil || n.Op.Name != name || n.Op.Domain != "" || len(n.Out) != 1 {
		return nil
	}
	return n
}

// scalar is the content of v, a constant of one number whose rank is at most rank.
func (p *patterns) scalar(v graph.Value, rank int) (float64, bool) {
	if v == 0 {
		return 0, false
	}
	in := p.g.Info(v)
	if in.Kind != graph.Constant || in.Data == nil || in.Data.Len() != 1 || in.Data.Rank() > rank ||
		!in.Data.DType().IsFloat() && !in.Data.DType().IsInt() {
		return 0, false
	}
	return in.Data.Float64s()[0], true
}

// beside is the content of v, a constant of one number that does not change the rank of x, beside which it stands.
func (p *patterns) beside(v, x graph.Value) (float64, bool) {
	return p.scalar(v, max(0, p.ranks.of(x)))
}

// near reports whether x is y, a number that exporters write in single precision.
func near(x, y float64) bool { return math.Abs(x-y) <= 1e-6*math.Abs(y) }

// next is the one node that reads v, when it is ONNX's operator of that name and v is not kept, else nil.
func (p *patterns) next(v graph.Value, name string) *graph.Node {
	if p.pinned[v] || len(p.readers[v]) != 1 {
		return nil
	}
	n := p.readers[v][0]
	if n.Op.Name != name || n.Op.Domain != "" {
		return nil
	}
	return n
}

// take notes that what instead adds takes the place of nodes, of which the first gives the result, and reports whether it may: nothing else
// reads what is between.
func (p *patterns) take(nodes []*graph.Node, instead func(*graph.Builder) graph.Value) bool {
	for i, n := range nodes {
		if n.Frozen || p.taken[n] || p.skip != nil && p.skip(n) {
			return false
		}
		if i == 0 {
			continue
		}
		for _, v := range n.Out {
			if v != 0 && (p.pinned[v] || slices.ContainsFunc(p.readers[v], func(r *graph.Node) bool { return !slices.Contains(nodes, r) })) {
				return false
			}
		}
	}
	for _, n := range nodes {
		p.taken[n] = true
	}
	p.instead[nodes[0]] = instead
	return true
}

// apply changes the graph.
func (p *patterns) apply() error {
	if len(p.instead) == 0 {
		return nil
	}
	g, old := p.g, p.g.Nodes
	g.Nodes = nil
	for _, n := range old {
		f := p.instead[n]
		if f == nil {
			if !p.taken[n] {
				g.Nodes = append(g.Nodes, n)
			}
			continue
		}
		b := graph.NewBuilder(g)
		b.For = n.For
		begin := len(g.Nodes)
		w := f(b)
		if err := b.Err(); err != nil {
			return fmt.Errorf("rewrite: %s: %w", n.Label(), err)
		}
		for _, m := range g.Nodes[begin:] {
			m.Name = n.Name
		}
		g.Alias(g.Nodes[begin:], n.Out[0], w)
	}
	return nil
}

// factors are what v is a product of: numbers, multiplied into c, and other values. It goes through products that only this one reads, and
// nodes are those.
func (p *patterns) factors(v graph.Value) (c float64, vs []graph.Value, nodes []*graph.Node) {
	c = 1
	var walk func(v graph.Value, first bool)
	walk = func(v graph.Value, first bool) {
		if first || len(p.readers[v]) == 1 && !p.pinned[v] {
			if n := p.def(v, "Mul"); n != nil && n.Op == ops.Mul && len(nodes) < 8 {
				nodes = append(nodes, n)
				for i, u := range n.In {
					if x, ok := p.beside(u, n.In[1-i]); ok {
						c *= x
					} else {
						walk(u, false)
					}
				}
				return
			}
			if n := p.def(v, "Div"); n != nil && n.Op == ops.Div && len(nodes) < 8 {
				if x, ok := p.beside(n.In[1], n.In[0]); ok && x != 0 {
					nodes = append(nodes, n)
					c /= x
					walk(n.In[0], false)
					return
				}
			}
		}
		vs = append(vs, v)
	}
	walk(v, true)
	return c, vs, nodes
}
