package onnxgo

import (
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/iterator"
)

// What follows is gonum's graph.DirectedWeightedBuilder. Edges go from the output of an operation to its inputs; the weight is the
// position. They are kept by position, so that an input that is given twice is not lost.

// NewNode is a node that is not in the graph yet.
func (b *Backend) NewNode() graph.Node { return &Node{b: b, id: int64(len(b.nodes))} }

// AddNode puts n into the graph.
func (b *Backend) AddNode(n graph.Node) {
	node, ok := n.(*Node)
	if !ok || node.b != b || node.id != int64(len(b.nodes)) {
		panic("onnxgo: AddNode: the node was not made by NewNode of this backend just before")
	}
	b.nodes = append(b.nodes, node)
}

type edge struct {
	from, to *Node
	w        float64
}

func (e edge) From() graph.Node         { return e.from }
func (e edge) To() graph.Node           { return e.to }
func (e edge) Weight() float64          { return e.w }
func (e edge) ReversedEdge() graph.Edge { return edge{e.to, e.from, e.w} }

// NewWeightedEdge is an edge from an output to its input number weight.
func (b *Backend) NewWeightedEdge(from, to graph.Node, weight float64) graph.WeightedEdge {
	return edge{from.(*Node), to.(*Node), weight}
}

// SetWeightedEdge puts e into the graph.
func (b *Backend) SetWeightedEdge(e graph.WeightedEdge) {
	if b.args == nil {
		b.args = map[int64][]*Node{}
	}
	from, i := e.From().ID(), int(e.Weight())
	a := b.args[from]
	if i == 0 {
		a = nil // the node of the absent output "" is used again by other operations
	}
	for len(a) <= i {
		a = append(a, nil)
	}
	if n := e.To().(*Node); n.name != "" {
		a[i] = n
	}
	b.args[from] = a
}

// Node is the node with the given number, nil when there is none.
func (b *Backend) Node(id int64) graph.Node {
	if id < 0 || id >= int64(len(b.nodes)) {
		return nil
	}
	return b.nodes[id]
}

func nodes(ns []*Node) graph.Nodes {
	list := make([]graph.Node, 0, len(ns))
	seen := map[*Node]bool{}
	for _, n := range ns {
		if n != nil && !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	return iterator.NewOrderedNodes(list)
}

// Nodes are all nodes.
func (b *Backend) Nodes() graph.Nodes { return nodes(b.nodes) }

// From are the inputs of the operation that makes node id.
func (b *Backend) From(id int64) graph.Nodes { return nodes(b.args[id]) }

// To are the outputs of the operations that read node id.
func (b *Backend) To(id int64) graph.Nodes {
	var out []*Node
	for from, args := range b.args {
		for _, n := range args {
			if n != nil && n.id == id {
				out = append(out, b.nodes[from])
				break
			}
		}
	}
	return nodes(out)
}

// HasEdgeFromTo reports whether node v is an input of the operation that makes node u.
func (b *Backend) HasEdgeFromTo(u, v int64) bool { return b.Edge(u, v) != nil }

// HasEdgeBetween is HasEdgeFromTo in either direction.
func (b *Backend) HasEdgeBetween(u, v int64) bool {
	return b.HasEdgeFromTo(u, v) || b.HasEdgeFromTo(v, u)
}

// Edge is the edge from u to v, nil when there is none.
func (b *Backend) Edge(u, v int64) graph.Edge {
	for i, n := range b.args[u] {
		if n != nil && n.id == v {
			return edge{b.nodes[u], n, float64(i)}
		}
	}
	return nil
}
