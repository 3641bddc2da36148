package rewrite

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// FuseGelu makes one Gelu of what exporters write for operator sets that have none, x · ½ · (1 + erf(x/√2)) with the factors in any order.
// Values in keep stay available, and nodes for which skip is true stay as they are; nil skips none. The form with tanh stays as it is: in
// magika, whose variances are differences of nearly equal sums, another order of its roundings changes gradients by a hundredth.
func FuseGelu(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) error {
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
			if more := p.erfOf(u, x); more != nil {
				p.take(slices.Concat(nodes, []*graph.Node{add}, more), func(b *graph.Builder) graph.Value {
					return b.Add(ops.Gelu, ops.Gelu.NewAttrs(), x)
				})
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

// erfOf is the nodes by which u is erf(x/√2), nil where it is not.
func (p *patterns) erfOf(u, x graph.Value) []*graph.Node {
	erf := p.def(u, "Erf")
	if erf == nil {
		return nil
	}
	c, vs, nodes := p.factors(erf.In[0])
	if !slices.Equal(vs, []graph.Value{x}) || !near(c, math.Sqrt2/2) {
		return nil
	}
	return append(nodes, erf)
}
