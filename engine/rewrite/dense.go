package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// FuseDense makes one Gemm of a MatMul by a matrix of weights W and the addition of a bias that follows it, and of one by W transposed, as
// exporters write a dense layer: the product reads W as it lies, and its gradient by W is that of W itself. Values in keep stay available,
// and nodes for which skip is true stay as they are; nil skips none.
func FuseDense(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) error {
	p := newPatterns(g, keep, skip)
	fed := p.depend(g.Inputs)
	for _, n := range g.Nodes {
		// What does not come from an input may be weights, whose gradient for each example is a MatMul's only.
		if n.Op == ops.MatMul && g.Info(n.In[0]).DType.IsFloat() && fed[n.In[0]] {
			p.dense(n)
		}
	}
	return p.apply()
}

func (p *patterns) dense(n *graph.Node) {
	w, turned := n.In[1], false
	if t := p.def(w, "Transpose"); t != nil && !p.pinned[w] && ops.Turns(t) && !t.Frozen && (p.skip == nil || !p.skip(t)) {
		w, turned = t.In[0], true
	}
	t := p.g.Info(w).Data
	if t == nil || t.Rank() != 2 {
		return
	}
	columns := t.Dim(1)
	if turned {
		columns = t.Dim(0)
	}
	in, nodes := []graph.Value{n.In[0], w}, []*graph.Node{n}
	if add := p.next(n.Out[0], "Add"); add != nil && add.Op == ops.Add && add.In[0] != add.In[1] {
		bias := add.In[0]
		if bias == n.Out[0] {
			bias = add.In[1]
		}
		if t := p.g.Info(bias).Data; t != nil && t.Rank() == 1 && t.Len() == columns {
			in, nodes = append(in, bias), []*graph.Node{add, n}
		}
	}
	if turned || len(nodes) > 1 {
		p.take(nodes, func(b *graph.Builder) graph.Value { return b.Add(ops.Gemm, ops.Dense(turned), in...) })
	}
}
