package rewrite

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// FuseGelu makes one Gelu of what exporters write for operator sets that have none, x · ½ · (1 + erf(x/√2)) with the factors in any order.
// Values in keep stay available, and nodes for which skip is true stay as they are; nil skips none.
func FuseGelu(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) error {
	return fuseGelu(g, keep, skip, func(p *patterns, u, x graph.Value) (any, []*graph.Node) {
		erf := p.def(u, "Erf")
		if erf == nil {
			return nil, nil
		}
		c, vs, nodes := p.factors(erf.In[0])
		if !slices.Equal(vs, []graph.Value{x}) || !near(c, math.Sqrt2/2) {
			return nil, nil
		}
		return ops.Gelu.NewAttrs(), append(nodes, erf)
	})
}

// FuseGeluTanh is FuseGelu for x · ½ · (1 + tanh(√(2/π)·(x + 0.044715·x³))).
func FuseGeluTanh(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) error {
	return fuseGelu(g, keep, skip, func(p *patterns, u, x graph.Value) (any, []*graph.Node) {
		tanh := p.def(u, "Tanh")
		if tanh == nil {
			return nil, nil
		}
		nodes := p.cubic(tanh.In[0], x)
		if nodes == nil {
			return nil, nil
		}
		return ops.GeluTanh(), append(nodes, tanh)
	})
}

// fuseGelu makes a Gelu of x · ½ · (1 + u) where inner gives its attributes, and the nodes that make u of x.
func fuseGelu(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool,
	inner func(p *patterns, u, x graph.Value) (any, []*graph.Node)) error {
	p := newPatterns(g, keep, skip)
	for _, n := range slices.Backward(g.Nodes) { // the whole product before its parts
		if len(n.Out) != 1 || n.Op != ops.Mul && n.Op != ops.Div || p.taken[n] || g.Info(n.Out[0]).DType != tensor.Float32 {
			continue // the constants are those of single precision
		}
		c, vs, nodes := p.factors(n.Out[0])
		if len(vs) != 2 || !near(c, 0.5) {
			continue
		}
		for i, v := range vs {
			add, u := p.plusOne(v)
			if add == nil {
				continue
			}
			x := vs[1-i]
			if attrs, more := inner(p, u, x); attrs != nil {
				p.take(slices.Concat(nodes, []*graph.Node{add}, more), func(b *graph.Builder) graph.Value { return b.Add(ops.Gelu, attrs, x) })
				break
			}
		}
	}
	return p.apply()
}

// plusOne is the node that makes v of u by adding 1.
func (p *patterns) plusOne(v graph.Value) (add *graph.Node, u graph.Value) {
	n := p.def(v, "Add")
	if n == nil || n.Op != ops.Add {
		return nil, 0
	}
	for i, w := range n.In {
		if c, ok := p.beside(w, n.In[1-i]); ok && c == 1 {
			return n, n.In[1-i]
		}
	}
	return nil, 0
}

// cubic is the nodes by which v is √(2/π)·(x + 0.044715·x³) or √(2/π)·x·(1 + 0.044715·x²), nil where it is neither.
func (p *patterns) cubic(v, x graph.Value) []*graph.Node {
	c, vs, nodes := p.factors(v)
	if !near(c, math.Sqrt(2/math.Pi)) || len(vs) == 0 || len(vs) > 2 {
		return nil
	}
	degree, inner := 3, vs[0]
	if len(vs) == 2 {
		if degree = 2; inner == x {
			inner = vs[1]
		} else if vs[1] != x {
			return nil
		}
	}
	add := p.def(inner, "Add")
	if add == nil || add.Op != ops.Add {
		return nil
	}
	for i, w := range add.In {
		one, ok := p.beside(w, x)
		if degree == 3 && w != x || degree == 2 && (!ok || one != 1) {
			continue
		}
		c, vs, powers := p.factors(add.In[1-i])
		if !near(c, 0.044715) {
			continue
		}
		all := slices.Concat(nodes, []*graph.Node{add}, powers)
		for _, v := range vs {
			k, power := p.power(v, x)
			if degree = max(degree-k, -1); power != nil {
				all = append(all, power)
			}
		}
		if degree == 0 {
			return all
		}
		return nil
	}
	return nil
}

// power is the k for which v is x to the k, and the node that makes it so; k is large where it is none.
func (p *patterns) power(v, x graph.Value) (k int, n *graph.Node) {
	if v == x {
		return 1, nil
	}
	if n := p.def(v, "Pow"); n != nil && n.Op == ops.Pow && n.In[0] == x {
		if e, ok := p.beside(n.In[1], x); ok && (e == 2 || e == 3) {
			return int(e), n
		}
	}
	return 99, nil
}
