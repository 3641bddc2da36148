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
	captured []graph.Value         // of the enclosing graph
	places   map[graph.Value][]int // in captured
}

// closureOf is a copy of body k of n. The gradient of a body computes the body again: what it draws at random would differ.
func closureOf(n *graph.Node, k int) (*closure, error) {
	b := n.Bodies[k].Clone()
	if r := drawing(b.G); r != nil {
		return nil, fmt.Errorf("%s draws random numbers, and the gradient, which computes the body again, would draw others: %w",
			r.Label(), graph.ErrNoGradient)
	}
	c := &closure{b, slices.Clone(n.Captured(k)), map[graph.Value][]int{}}
	for i, v := range c.captured {
		c.places[v] = append(c.places[v], i)
	}
	return c, nil
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
	if at := c.places[v]; len(at) > 0 {
		return c.G.Inputs[c.Formals+at[0]]
	}
	in := b.G.Info(v)
	c.places[v] = []int{len(c.captured)}
	c.captured = append(c.captured, v)
	return c.G.AddInput(in.Name, in.DType, nil)
}

// holders are the inputs of the body that hold v.
func (c *closure) holders(v graph.Value) []graph.Value {
	in := make([]graph.Value, len(c.places[v]))
	for k, i := range c.places[v] {
		in[k] = c.G.Inputs[c.Formals+i]
	}
	return in
}

// wanted are the captured values of n that need a gradient, each once.
func wanted(n *graph.Node, need []bool) []graph.Value {
	var vs []graph.Value
	met := map[graph.Value]bool{}
	for i := n.NumIn; i < len(n.In); i++ {
		if v := n.In[i]; need[i] && !met[v] {
			vs, met[v] = append(vs, v), true
		}
	}
	return vs
}

// firsts is where n first captures each value and wants its gradient.
func firsts(n *graph.Node, need []bool) map[graph.Value]int {
	at := map[graph.Value]int{}
	for i := n.NumIn; i < len(n.In); i++ {
		if _, met := at[n.In[i]]; !met && need[i] {
			at[n.In[i]] = i
		}
	}
	return at
}

// allOf asks for n outputs.
func allOf(n int) []bool { return slices.Repeat([]bool{true}, n) }

// keepsAll reports whether n is a Dropout that is known to drop nothing.
func keepsAll(g *graph.Graph, n *graph.Node) bool {
	if n.Op != Dropout {
		return false
	}
	mode := input(n, 2)
	if mode == 0 {
		return true
	}
	t := g.Info(mode).Data
	return t != nil && g.Info(mode).Kind == graph.Constant && t.Len() == 1 && !tensor.Data[bool](t)[0]
}
