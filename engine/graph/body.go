package graph

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// Body is a subgraph: its inputs are Formals formal inputs, then one for each value of the enclosing graph that it captures. Which values
// those are is in the inputs of its node: see Node.Captured.
type Body struct {
	Attr    string // attribute that held it, for example "then_branch"
	G       *Graph
	Formals int
	Names   []string // of the captured values, where they were read from a file
}

// NumCaptured is the number of captured values.
func (b *Body) NumCaptured() int { return len(b.G.Inputs) - b.Formals }

// Clone is a copy of b whose graph can be changed.
func (b *Body) Clone() *Body {
	c := *b
	c.G = b.G.Clone()
	return &c
}

// FirstCaptured is the position in n.In of the first value that body k captures.
func (n *Node) FirstCaptured(k int) int {
	at := n.NumIn
	for _, b := range n.Bodies[:k] {
		at += b.NumCaptured()
	}
	return at
}

// Captured is the part of n.In that body k captures, in the order of its inputs after the formal ones.
func (n *Node) Captured(k int) []Value {
	at := n.FirstCaptured(k)
	end := at + n.Bodies[k].NumCaptured()
	return n.In[at:end:end]
}

// bodyTypes sets the element types of the outputs of a node with bodies from those of its first body.
func bodyTypes(n *Node, outs []tensor.DType) {
	g, lead := n.Bodies[0].G, n.Op.Lead
	for i := range outs {
		if k := i + lead; k < len(g.Outputs) {
			if outs[i] = g.info[g.Outputs[k]].DType; n.Op.Listed {
				outs[i] = tensor.SequenceOf(outs[i])
			}
		}
	}
}

// AddControl adds a node with bodies, which capture the values captured of the builder's graph: those of the first body come first.
func (b *Builder) AddControl(name string, op *Spec, attrs any, in []Value, want []bool, bodies []*Body, captured []Value) *Node {
	n := b.AddNode(name, op, attrs, in, want, bodies...)
	if n == nil {
		return nil
	}
	n.In = append(n.In, captured...)
	if have := n.FirstCaptured(len(bodies)); len(n.In) != have {
		b.Fail(fmt.Errorf("%s: %d values are captured, the bodies want %d", n.Label(), len(captured), have-n.NumIn))
		return nil
	}
	return n
}

// Prune removes the nodes that none of keep and the graph's outputs depend on, the optional outputs that nobody reads, and what bodies
// compute or capture in vain.
func (g *Graph) Prune(keep []Value) {
	live := make([]bool, g.NumValues())
	for _, v := range keep {
		live[v] = true
	}
	for _, v := range g.Outputs {
		live[v] = true
	}
	var kept []*Node
	for _, n := range slices.Backward(g.Nodes) {
		used := false
		for _, v := range n.Out {
			used = used || (v != 0 && live[v])
		}
		if !used {
			continue
		}
		for k, v := range n.Out {
			if v != 0 && !live[v] {
				if f := n.Op.FormalOut(k); f != nil && f.Optional {
					n.Out[k] = 0
				}
			}
		}
		n.Prune()
		for _, v := range n.In {
			live[v] = true
		}
		kept = append(kept, n)
	}
	slices.Reverse(kept)
	g.Nodes = kept
}

// Prune drops what the bodies of n compute or capture in vain.
func (n *Node) Prune() {
	for k := range n.Bodies {
		n.pruneBody(k)
	}
}

func (n *Node) pruneBody(k int) {
	b := n.Bodies[k]
	b.G.Prune(nil)
	read := b.G.Read()
	n.Release(k, func(i int) bool { return !read[b.G.Inputs[b.Formals+i]] })
}

// Release makes body k of n capture no longer the values, by their place among those that it captures, of which drop is true.
func (n *Node) Release(k int, drop func(i int) bool) {
	b := n.Bodies[k]
	at, count := n.FirstCaptured(k), b.NumCaptured()
	inputs, in, names := slices.Clone(b.G.Inputs[:b.Formals]), slices.Clone(n.In[:at]), []string(nil)
	for i := range count {
		if drop(i) {
			continue
		}
		inputs, in = append(inputs, b.G.Inputs[b.Formals+i]), append(in, n.In[at+i])
		if i < len(b.Names) {
			names = append(names, b.Names[i])
		}
	}
	if len(inputs) == len(b.G.Inputs) {
		return
	}
	n.In = append(in, n.In[at+count:]...)
	b.G.Inputs, b.Names = inputs, names
}

// Read tells, by value, what the nodes of g read and its outputs return.
func (g *Graph) Read() []bool {
	read := make([]bool, g.NumValues())
	for _, n := range g.Nodes {
		for _, v := range n.In {
			read[v] = true
		}
	}
	for _, v := range g.Outputs {
		read[v] = true
	}
	return read
}
