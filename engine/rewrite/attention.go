package rewrite

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// FuseAttention makes one FusedAttention of softmax(q·k·scale + mask)·v, with what surrounds it: the scale of q, k or the scores, the zeros
// that exporters put in place of rows of which nothing is attended to, and the transpositions of q, k, v and the result, which it reads and
// writes as they lie. Values in keep stay available, and nodes for which skip is true stay as they are; nil skips none. A mask that depends
// on a value in keep is left alone, since no gradient goes to it.
func FuseAttention(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) error {
	p := newPatterns(g, keep, skip)
	fed, kept := p.depend(g.Inputs), p.depend(keep)
	for _, n := range g.Nodes {
		if n.Op == ops.MatMul && g.Info(n.In[0]).DType.IsFloat() {
			p.attention(n, fed, kept)
		}
	}
	return p.apply()
}

// depend tells which values depend on one of those, and are those.
func (p *patterns) depend(on []graph.Value) []bool {
	depends := make([]bool, p.g.NumValues())
	for _, v := range on {
		depends[v] = true
	}
	for _, n := range p.g.Nodes {
		some := false
		for _, v := range n.In {
			some = some || v != 0 && depends[v]
		}
		for _, v := range n.Out {
			depends[v] = v != 0 && (some || depends[v])
		}
	}
	return depends
}

// attention takes the attention whose last product, P·v, is n.
func (p *patterns) attention(n *graph.Node, fed, kept []bool) {
	nodes := []*graph.Node{n}
	probs, guard := n.In[0], false
	if where := p.def(probs, "Where"); where != nil {
		isNaN := p.def(where.In[0], "IsNaN")
		if isNaN == nil || isNaN.In[0] != where.In[2] {
			return
		}
		if zero, ok := p.scalar(where.In[1], 1); !ok || zero != 0 {
			return
		}
		nodes, probs, guard = append(nodes, where, isNaN), where.In[2], true
	}
	softmax := p.def(probs, "Softmax")
	if softmax == nil {
		return
	}
	nodes = append(nodes, softmax)
	c, mask := 1.0, graph.Value(0)
	scores := softmax.In[0]
	product := func(v graph.Value) *graph.Node { // the first product, through a scale
		if f, vs, scaled := p.factors(v); len(vs) == 1 {
			if m := p.def(vs[0], "MatMul"); m != nil && m.Op == ops.MatMul {
				c, nodes = f, append(nodes, scaled...)
				return m
			}
		}
		return nil
	}
	first := product(scores)
	if add := p.def(scores, "Add"); first == nil && add != nil && add.Op == ops.Add {
		for i, v := range add.In {
			if first = product(v); first != nil {
				mask, nodes = add.In[1-i], append(nodes, add)
				break
			}
		}
	}
	if first == nil || mask != 0 && kept[mask] || !fed[first.In[0]] || !fed[first.In[1]] || !fed[n.In[1]] {
		return
	}
	nodes = append(nodes, first)
	q, cq, permQ := p.operand(first.In[0])
	k, ck, permK := p.operand(first.In[1])
	v, cv, permV := p.operand(n.In[1])
	if cv != 1 {
		v, permV = n.In[1], nil
	}
	if axis, _ := ops.SoftmaxAxis(softmax); axis != -1 && !slices.ContainsFunc([]int{p.ranks.of(scores), len(permQ), len(permK)},
		func(rank int) bool { return axis == rank-1 && axis > 0 }) {
		return
	}
	var permO []int
	if t := p.next(n.Out[0], "Transpose"); t != nil {
		if perm := ops.PermOf(t); ops.RowsStay(perm) {
			permO, nodes = perm, append([]*graph.Node{t}, nodes...)
		}
	}
	in := []graph.Value{q, k, v}
	if mask != 0 {
		in = append(in, mask)
	}
	attrs := ops.AttentionOf(c*cq*ck, permQ, permK, permV, permO, guard)
	p.take(nodes, func(b *graph.Builder) graph.Value { return b.Add(ops.FusedAttention, attrs, in...) })
}

// operand is what v is a multiple and a transposition of, where its matrices keep rows or columns in one piece.
func (p *patterns) operand(v graph.Value) (x graph.Value, c float64, perm []int) {
	x, c = v, 1
	for !p.pinned[x] {
		n := p.g.Info(x).Def
		if n == nil || n.Frozen || len(n.Out) != 1 || p.skip != nil && p.skip(n) {
			break
		}
		if t := p.def(x, "Transpose"); t != nil {
			outer := ops.PermOf(t)
			if perm != nil && outer != nil {
				outer = ops.Composed(outer, perm)
			}
			if !ops.MatricesStay(outer) {
				break
			}
			x, perm = t.In[0], outer
			continue
		}
		if n.Op != ops.Mul && n.Op != ops.Div {
			break
		}
		if f, ok := p.beside(n.In[1], n.In[0]); ok && (n.Op == ops.Mul || f != 0) {
			if n.Op == ops.Div {
				f = 1 / f
			}
			x, c = n.In[0], c*f
		} else if f, ok := p.beside(n.In[0], n.In[1]); ok && n.Op == ops.Mul {
			x, c = n.In[1], c*f
		} else {
			break
		}
	}
	return x, c, perm
}
