package graph

import "github.com/gtk-onnx/gtk/tensor"

// Differentiable reports whether gradients go through values of type d: real numbers, also in sequences and optionals.
func Differentiable(d tensor.DType) bool {
	if d.IsContainer() && !listing(d) {
		return false
	}
	e := d.Element()
	return e == tensor.Float32 || e == tensor.Float64
}

// listing reports whether d has no maps.
func listing(d tensor.DType) bool {
	for ; d.IsContainer(); d = d.Inner() {
		if d.Kind() == tensor.Map {
			return false
		}
	}
	return true
}

// Differentiable reports whether a gradient may go to input i of n, as far as its operator says. Captured values always can; what they are
// used for is a question to the body.
func (n *Node) Differentiable(i int) bool {
	if i >= n.NumIn {
		return true
	}
	f := n.Op.FormalIn(i)
	return f == nil || !f.NoGrad
}

// Flow tells, for each output of n, which of its inputs it depends on differentiably, captured ones included. It is nil for a node
// without bodies: every output then depends on every input that is differentiable.
func (n *Node) Flow() [][]bool {
	if n.Op.flow == nil {
		return nil
	}
	return n.Op.flow(n.Attrs, n)
}

// Carries tells, for each of to, which of from it depends on through differentiable inputs and values alone: a condition, an index
// or a trip count carries nothing.
func Carries(g *Graph, from, to []Value) [][]bool {
	on := make([][]bool, g.NumValues())
	for i, v := range from {
		if !Differentiable(g.info[v].DType) {
			continue
		}
		if on[v] == nil {
			on[v] = make([]bool, len(from))
		}
		on[v][i] = true
	}
	for _, n := range g.Nodes {
		flow := n.Flow()
		for o, y := range n.Out {
			if y == 0 || !Differentiable(g.info[y].DType) {
				continue
			}
			for i, x := range n.In {
				if x == 0 || on[x] == nil || !n.Differentiable(i) || flow != nil && !flow[o][i] {
					continue
				}
				if on[y] == nil {
					on[y] = make([]bool, len(from))
				}
				Unite(on[y], on[x])
			}
		}
	}
	rows := make([][]bool, len(to))
	for k, v := range to {
		rows[k] = make([]bool, len(from))
		Unite(rows[k], on[v])
	}
	return rows
}

// Unite sets in to what is set in from and reports whether that changed it.
func Unite(to, from []bool) bool {
	changed := false
	for i, x := range from {
		if x && !to[i] {
			to[i], changed = true, true
		}
	}
	return changed
}
