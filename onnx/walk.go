package onnx

import (
	"iter"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// A TensorRef is a tensor and where it is.
type TensorRef struct {
	Proto     *onnxpb.TensorProto
	Graph     *onnxpb.GraphProto // nil inside a function
	Node      *onnxpb.NodeProto  // that has the attribute, nil for initializers
	Attribute string             // "" for initializers
}

// Tensors yields every dense tensor of the model in file order: initializers (also the values and indices of sparse
// ones) and attributes, in the main graph, in subgraphs, functions and training information.
func (m *Model) Tensors() iter.Seq[TensorRef] {
	return func(yield func(TensorRef) bool) {
		w := walker{tensor: yield}
		w.model(m.Proto)
	}
}

// Walk calls f for every node of the model: each node before the nodes of its subgraphs. The graph is nil for nodes of
// functions. Training information is included.
func (m *Model) Walk(f func(g *onnxpb.GraphProto, n *onnxpb.NodeProto)) {
	w := walker{node: func(g *onnxpb.GraphProto, n *onnxpb.NodeProto) bool { f(g, n); return true }}
	w.model(m.Proto)
}

// Graphs yields the main graph, then every subgraph of its nodes, each before its own subgraphs.
func (m *Model) Graphs() iter.Seq[*onnxpb.GraphProto] {
	return func(yield func(*onnxpb.GraphProto) bool) {
		w := walker{graphs: yield}
		if g := m.Proto.GetGraph(); g != nil {
			w.graph(g)
		}
	}
}

// walker visits the parts of a model for which it has a function; a function that returns false stops it.
type walker struct {
	graphs func(*onnxpb.GraphProto) bool
	tensor func(TensorRef) bool
	node   func(*onnxpb.GraphProto, *onnxpb.NodeProto) bool
}

func (w *walker) model(p *onnxpb.ModelProto) bool {
	if g := p.GetGraph(); g != nil && !w.graph(g) {
		return false
	}
	for _, t := range p.GetTrainingInfo() {
		for _, g := range []*onnxpb.GraphProto{t.GetInitialization(), t.GetAlgorithm()} {
			if g != nil && !w.graph(g) {
				return false
			}
		}
	}
	for _, f := range p.GetFunctions() {
		for _, a := range f.GetAttributeProto() {
			if !w.attribute(nil, nil, a) {
				return false
			}
		}
		for _, n := range f.GetNode() {
			if !w.oneNode(nil, n) {
				return false
			}
		}
	}
	return true
}

func (w *walker) graph(g *onnxpb.GraphProto) bool {
	if w.graphs != nil && !w.graphs(g) {
		return false
	}
	for _, t := range g.GetInitializer() {
		if !w.oneTensor(TensorRef{Proto: t, Graph: g}) {
			return false
		}
	}
	for _, s := range g.GetSparseInitializer() {
		if !w.sparse(s, TensorRef{Graph: g}) {
			return false
		}
	}
	for _, n := range g.GetNode() {
		if !w.oneNode(g, n) {
			return false
		}
	}
	return true
}

func (w *walker) oneNode(g *onnxpb.GraphProto, n *onnxpb.NodeProto) bool {
	if w.node != nil && !w.node(g, n) {
		return false
	}
	for _, a := range n.GetAttribute() {
		if !w.attribute(g, n, a) {
			return false
		}
	}
	return true
}

func (w *walker) attribute(g *onnxpb.GraphProto, n *onnxpb.NodeProto, a *onnxpb.AttributeProto) bool {
	ref := TensorRef{Graph: g, Node: n, Attribute: a.GetName()}
	for _, t := range append([]*onnxpb.TensorProto{a.GetT()}, a.GetTensors()...) {
		ref.Proto = t
		if t != nil && !w.oneTensor(ref) {
			return false
		}
	}
	for _, s := range append([]*onnxpb.SparseTensorProto{a.GetSparseTensor()}, a.GetSparseTensors()...) {
		if s != nil && !w.sparse(s, ref) {
			return false
		}
	}
	for _, sub := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
		if sub != nil && !w.graph(sub) {
			return false
		}
	}
	return true
}

func (w *walker) sparse(s *onnxpb.SparseTensorProto, ref TensorRef) bool {
	for _, t := range []*onnxpb.TensorProto{s.GetValues(), s.GetIndices()} {
		ref.Proto = t
		if t != nil && !w.oneTensor(ref) {
			return false
		}
	}
	return true
}

func (w *walker) oneTensor(r TensorRef) bool { return w.tensor == nil || w.tensor(r) }

// BindAttributes is a copy of a node of a function with the attributes that refer to those of the call replaced by the
// given ones, also in its subgraphs; an attribute that was not given is left out. given has defaults and the call's
// attributes by name.
func BindAttributes(n *onnxpb.NodeProto, given map[string]*onnxpb.AttributeProto) *onnxpb.NodeProto {
	c := cloner{tensors: map[*onnxpb.TensorProto]*onnxpb.TensorProto{}}
	out := &onnxpb.NodeProto{}
	c.message(out.ProtoReflect(), n.ProtoReflect())
	c.bind(out, given)
	return out
}

// RefersToCall reports whether attributes of a node of a function, or of nodes in its subgraphs, are taken from the call.
func RefersToCall(n *onnxpb.NodeProto) bool {
	for _, a := range n.GetAttribute() {
		if a.GetRefAttrName() != "" {
			return true
		}
		for _, sub := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
			if slices.ContainsFunc(sub.GetNode(), RefersToCall) {
				return true
			}
		}
	}
	return false
}

func (c *cloner) bind(n *onnxpb.NodeProto, given map[string]*onnxpb.AttributeProto) {
	kept := n.Attribute[:0]
	for _, a := range n.Attribute {
		if ref := a.GetRefAttrName(); ref != "" {
			g := given[ref]
			if g == nil {
				continue
			}
			b := &onnxpb.AttributeProto{}
			c.message(b.ProtoReflect(), g.ProtoReflect()) // contents of tensors are shared
			b.Name = a.Name
			a = b
		} else {
			for _, sub := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
				for _, inner := range sub.GetNode() {
					c.bind(inner, given)
				}
			}
		}
		kept = append(kept, a)
	}
	n.Attribute = kept
}
