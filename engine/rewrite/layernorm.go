package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// FuseLayerNorm makes one LayerNormalization of what exporters write for operator sets that have none,
//
//	d = x - mean(x),  y = d / √(mean(d²) + ε) · scale + bias
//
// with the means over the last axes, and one RMSNormalization of the same without the mean. Scale and bias are constants or parameters,
// or absent. Values in keep stay available, and nodes for which skip is true stay as they are; nil skips none.
func FuseLayerNorm(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) error {
	p := newPatterns(g, keep, skip)
	for _, n := range g.Nodes {
		if len(n.Out) == 1 && (n.Op == ops.Div || n.Op == ops.Mul) {
			p.layerNorm(n)
		}
	}
	return p.apply()
}

// layerNorm takes the pattern whose quotient by the deviation is n.
func (p *patterns) layerNorm(n *graph.Node) {
	for i := range 2 {
		sum, nodes := p.deviation(n.In[1-i], n.Op == ops.Div)
		if sum == nil || n.Op == ops.Div && i == 1 {
			continue
		}
		if p.layerNormOf(n.In[i], sum, append([]*graph.Node{n}, append(nodes, sum)...)) {
			return
		}
	}
}

// deviation is the sum whose root v is, or with divides false whose inverse root, and the nodes between.
func (p *patterns) deviation(v graph.Value, divides bool) (sum *graph.Node, nodes []*graph.Node) {
	root := func(v graph.Value) {
		if n := p.def(v, "Sqrt"); n != nil {
			sum, nodes = p.def(n.In[0], "Add"), append(nodes, n)
		}
	}
	if divides {
		root(v)
		return sum, nodes
	}
	if n := p.def(v, "Reciprocal"); n != nil {
		nodes = append(nodes, n)
		root(n.In[0])
	} else if n := p.def(v, "Div"); n != nil && n.Op == ops.Div {
		if x, ok := p.scalar(n.In[0], 1); ok && x == 1 {
			nodes = append(nodes, n)
			root(n.In[1])
		}
	} else if n := p.def(v, "Pow"); n != nil && n.Op == ops.Pow {
		if x, ok := p.scalar(n.In[1], 1); ok && x == -0.5 {
			sum, nodes = p.def(n.In[0], "Add"), append(nodes, n)
		}
	}
	return sum, nodes
}

// layerNormOf takes the pattern of which nodes, the quotient d/√sum first, are a part.
func (p *patterns) layerNormOf(d graph.Value, sum *graph.Node, nodes []*graph.Node) bool {
	if sum.Op != ops.Add {
		return false
	}
	variance := sum.In[0]
	eps, ok := p.scalar(sum.In[1], 1)
	if !ok {
		variance = sum.In[1]
		if eps, ok = p.scalar(sum.In[0], 1); !ok {
			return false
		}
	}
	dt := p.g.Info(d).DType
	if dt != tensor.Float32 && (dt != tensor.Float64 || float64(float32(eps)) != eps) || eps < 0 {
		return false
	}
	mean, axis := p.mean(variance)
	if mean == nil {
		return false
	}
	nodes = append(nodes, mean)
	square, other := p.square(mean.In[0])
	if square == nil {
		return false
	}
	nodes = append(nodes, square)
	x, between := p.centred(d, other, axis)
	rms := x == 0
	if rms {
		if d != other {
			return false
		}
		x = d
	} else {
		nodes = append(nodes, between...)
	}
	return p.affineNorm(x, axis, float32(eps), rms, nodes)
}

// mean is the ReduceMean that computes v over the last axes, and the first of these, from behind.
func (p *patterns) mean(v graph.Value) (*graph.Node, int) {
	n := p.def(v, "ReduceMean")
	if n == nil {
		return nil, 0
	}
	axis, ok := ops.LastAxes(p.g, n, p.ranks.of(n.In[0]))
	if !ok {
		return nil, 0
	}
	return n, axis
}

// square is the node that makes v the square of d.
func (p *patterns) square(v graph.Value) (n *graph.Node, d graph.Value) {
	if n := p.def(v, "Mul"); n != nil && n.Op == ops.Mul && n.In[0] == n.In[1] {
		return n, n.In[0]
	}
	if n := p.def(v, "Pow"); n != nil && n.Op == ops.Pow {
		if e, ok := p.scalar(n.In[1], 1); ok && e == 2 {
			return n, n.In[0]
		}
	}
	return nil, 0
}

// centred is the x of which both d and e are x - mean(x) from axis on, and the nodes that make them; 0 when they are not.
func (p *patterns) centred(d, e graph.Value, axis int) (x graph.Value, nodes []*graph.Node) {
	vs := []graph.Value{d, e}
	if d == e {
		vs = vs[:1]
	}
	for _, v := range vs {
		sub := p.def(v, "Sub")
		if sub == nil || sub.Op != ops.Sub || x != 0 && sub.In[0] != x {
			return 0, nil
		}
		mean, at := p.mean(sub.In[1])
		if mean == nil || at != axis || mean.In[0] != sub.In[0] {
			return 0, nil
		}
		x, nodes = sub.In[0], append(nodes, sub)
		if len(nodes) == 1 || nodes[1] != mean {
			nodes = append(nodes, mean)
		}
	}
	return x, nodes
}

// affineNorm takes the pattern of nodes, the first of which gives what is normalised, with the scale and the bias that follow it, where
// they do.
func (p *patterns) affineNorm(x graph.Value, axis int, eps float32, rms bool, nodes []*graph.Node) bool {
	var scale, bias graph.Value
	last := nodes[0]
	if mul := p.next(last.Out[0], "Mul"); mul != nil && mul.Op == ops.Mul {
		if scale = p.affine(mul, last.Out[0], axis); scale != 0 {
			nodes, last = append([]*graph.Node{mul}, nodes...), mul
		}
	}
	if add := p.next(last.Out[0], "Add"); add != nil && add.Op == ops.Add && !rms {
		if bias = p.affine(add, last.Out[0], axis); bias != 0 {
			nodes = append([]*graph.Node{add}, nodes...)
		}
	}
	dt := p.g.Info(x).DType
	return p.take(nodes, func(b *graph.Builder) graph.Value {
		if scale == 0 {
			scale = b.Scalar(dt, 1)
		}
		in := []graph.Value{x, scale}
		if bias != 0 {
			in = append(in, bias)
		}
		op := ops.LayerNormalization
		if rms {
			op = ops.RMSNormalization
		}
		return b.Add(op, ops.LayerNorm(axis, eps), in...)
	})
}

// affine is the operand of n beside v when it has no more axes than are normalised, else 0.
func (p *patterns) affine(n *graph.Node, v graph.Value, axis int) graph.Value {
	w := n.In[0]
	if w == v {
		w = n.In[1]
	}
	if t := p.g.Info(w).Data; w == v || t == nil || t.Rank() > -axis {
		return 0
	}
	return w
}
