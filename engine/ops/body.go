package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// bodyIndex is the index of the body that attribute attr held, or -1.
func bodyIndex(n *graph.Node, attr string) int {
	for i, b := range n.Bodies {
		if b.Attr == attr {
			return i
		}
	}
	return -1
}

// closure is a body under construction with the values that it captures.
type closure struct {
	*graph.Body
	captured []graph.Value // of the enclosing graph
}

// closureOf is a copy of body k of n. The gradient of a body computes the body again: what it draws at random would differ.
func closureOf(n *graph.Node, k int) (*closure, error) {
	b := n.Bodies[k].Clone()
	if r := drawing(b.G); r != nil {
		return nil, fmt.Errorf("%s draws random numbers, and the gradient, which computes the body again, would draw others: %w",
			r.Label(), graph.ErrNoGradient)
	}
	return &closure{b, slices.Clone(n.Captured(k))}, nil
}

// drawing is a node of g or of its bodies whose results differ from run to run, or nil.
func drawing(g *graph.Graph) *graph.Node {
	for _, n := range g.Nodes {
		if n.Op.Random && !keepsAll(g, n) {
			return n
		}
		for _, b := range n.Bodies {
			if r := drawing(b.G); r != nil {
				return r
			}
		}
	}
	return nil
}

// capture is the input of the body that holds the value v of the graph of b.
func (c *closure) capture(b *graph.Builder, v graph.Value) graph.Value {
	if i := slices.Index(c.captured, v); i >= 0 {
		return c.G.Inputs[c.Formals+i]
	}
	in := b.G.Info(v)
	c.captured = append(c.captured, v)
	return c.G.AddInput(in.Name, in.DType, nil)
}

// holders are the inputs of the body that hold v.
func (c *closure) holders(v graph.Value) []graph.Value {
	var in []graph.Value
	for i, w := range c.captured {
		if w == v {
			in = append(in, c.G.Inputs[c.Formals+i])
		}
	}
	return in
}

// wanted are the captured values of n that need a gradient, each once.
func wanted(n *graph.Node, need []bool) []graph.Value {
	var vs []graph.Value
	for i := n.NumIn; i < len(n.In); i++ {
		if need[i] && !slices.Contains(vs, n.In[i]) {
			vs = append(vs, n.In[i])
		}
	}
	return vs
}

// credit puts d, the gradient by the captured value v, where n first captures v and wants its gradient.
func credit(n *graph.Node, need []bool, dx []graph.Value, v, d graph.Value) {
	for i := n.NumIn; i < len(n.In); i++ {
		if need[i] && n.In[i] == v {
			dx[i] = d
			return
		}
	}
}

// allOf asks for n outputs.
func allOf(n int) []bool { return slices.Repeat([]bool{true}, n) }

// keepsAll reports whether n is a Dropout that is known to drop nothing.
func keepsAll(g *graph.Graph, n *graph.Node) bool {
	if n.Op != Dropout {
		return false
	}
	mode := optionalInput(n, 2)
	if mode == 0 {
		return true
	}
	t := g.Info(mode).Data
	return t != nil && g.Info(mode).Kind == graph.Constant && t.Len() == 1 && !tensor.Data[bool](t)[0]
}
