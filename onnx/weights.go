package onnx

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// A Weight is a dense tensor of floating-point numbers that a model may have learned: an initializer or the value of a Constant node, of
// the main graph, of a subgraph or of a function.
type Weight struct {
	// Name is unique in the model and, in the main graph, that of the initializer or of the Constant node's output. Elsewhere it has the
	// place before it where the plain name is taken.
	Name     string
	Place    string // where it lies, for messages: "" for an initializer of the main graph
	Constant bool   // the value of a Constant node
	Main     bool   // of the main graph

	Proto *onnxpb.TensorProto    // nil when Attr has the numbers itself, as value_float
	Attr  *onnxpb.AttributeProto // of the Constant node, nil for an initializer
}

// Weights lists the weights of m: those of the main graph in file order, then those of subgraphs, then those of functions.
func (m *Model) Weights() []*Weight {
	l := weightLister{taken: map[string]bool{}, number: map[string]int{}}
	g := m.Proto.GetGraph()
	ownNames(g, l.taken)
	l.graph(g, "", "")
	l.bodies(g.GetNode(), "")
	for _, f := range m.Proto.GetFunctions() {
		where := fmt.Sprintf("function %q", Brief(f.GetName()))
		l.nodes(f.GetNode(), where, Brief(cmp.Or(f.GetName(), "function")))
		l.bodies(f.GetNode(), where)
	}
	return l.list
}

// weightLister collects weights; taken has the names that are values of the main graph or weights already.
type weightLister struct {
	list   []*Weight
	taken  map[string]bool
	number map[string]int // that a name which was taken got last
}

// graph lists the initializers and Constant nodes of g itself. owner is put before names that are taken; "" stands for the main graph.
func (l *weightLister) graph(g *onnxpb.GraphProto, where, owner string) {
	for _, t := range g.GetInitializer() {
		if realNumbers(t.GetDataType()) {
			l.add(&Weight{Name: t.GetName(), Place: where, Main: owner == "", Proto: t}, owner)
		}
	}
	l.nodes(g.GetNode(), where, owner)
}

func (l *weightLister) add(w *Weight, owner string) {
	if !w.Main {
		w.Name = l.unique(w.Name, owner)
	}
	l.taken[w.Name] = true
	l.list = append(l.list, w)
}

// nodes lists the Constant nodes among ns.
func (l *weightLister) nodes(ns []*onnxpb.NodeProto, where, owner string) {
	for _, n := range ns {
		if a := constantValue(n); a != nil {
			l.add(&Weight{Name: n.GetOutput()[0], Place: joinWhere(where, Brief(nodeName(n))), Constant: true, Main: owner == "",
				Proto: a.GetT(),
				Attr:  a}, owner)
		}
	}
}

// bodies lists the weights in the subgraphs of ns.
func (l *weightLister) bodies(ns []*onnxpb.NodeProto, where string) {
	for _, n := range ns {
		for _, a := range n.GetAttribute() {
			for _, sub := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
				if sub == nil {
					continue
				}
				at := joinWhere(where, fmt.Sprintf("%s of %s", Brief(a.GetName()), Brief(nodeName(n))))
				l.graph(sub, at, bodyOwner(n, a))
				l.bodies(sub.GetNode(), at)
			}
		}
	}
}

// bodyOwner is what names of a subgraph of n get before them.
func bodyOwner(n *onnxpb.NodeProto, a *onnxpb.AttributeProto) string {
	name := n.GetName()
	if name == "" && len(n.GetOutput()) > 0 {
		name = n.GetOutput()[0]
	}
	return Brief(name) + "/" + Brief(a.GetName())
}

// Brief is a name that others are made of, shortened when it is very long: a name of a megabyte before each of ten thousand others would
// take all memory.
func Brief(name string) string {
	if len(name) <= 200 {
		return name
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return strings.ToValidUTF8(name[:100], "") + fmt.Sprintf("…%016x", h.Sum64())
}

// unique is name where no other value or weight has it, else name behind the place, else with a number behind it.
func (l *weightLister) unique(name, owner string) string {
	if !l.taken[name] {
		return name
	}
	name = owner + "/" + name
	out := name
	for i := max(2, l.number[name]+1); l.taken[out]; i++ {
		out, l.number[name] = fmt.Sprintf("%s~%d", name, i), i
	}
	return out
}

func joinWhere(outer, inner string) string {
	if outer == "" {
		return inner
	}
	return outer + ": " + inner
}

func realNumbers(d int32) bool {
	switch tensor.DType(d) {
	case tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16:
		return true
	}
	return false
}

// constantValue is the attribute of a Constant node that has its value, when that is a dense tensor of floating-point numbers; else nil.
func constantValue(n *onnxpb.NodeProto) *onnxpb.AttributeProto {
	if n.GetOpType() != "Constant" || normalDomain(n.GetDomain()) != "" || len(n.GetOutput()) != 1 || len(n.GetAttribute()) != 1 {
		return nil
	}
	a := n.GetAttribute()[0]
	switch {
	case a.GetRefAttrName() != "":
	case a.GetName() == "value" && a.GetT() != nil && realNumbers(a.GetT().GetDataType()):
		return a
	case a.GetName() == "value_float" && AttrType(a) == onnxpb.AttributeProto_FLOAT, a.GetName() == "value_floats" &&
		AttrType(a) == onnxpb.AttributeProto_FLOATS:
		return a
	}
	return nil
}

// WeightTensor is the content of w, a weight of m.
func (m *Model) WeightTensor(w *Weight) (*tensor.Tensor, error) {
	switch {
	case w.Proto != nil:
		return m.Tensor(w.Proto)
	case w.Attr.GetName() == "value_float":
		return tensor.Scalar(w.Attr.GetF()), nil
	}
	return tensor.From(w.Attr.GetFloats(), len(w.Attr.GetFloats())), nil
}

// SetWeights gives weights, by name, new values of the same element type and shape, where they lie and in the form in which they are
// stored; see SetInitializer.
func (m *Model) SetWeights(values map[string]*tensor.Tensor) error {
	left := maps.Clone(values)
	for _, w := range m.Weights() {
		t, ok := left[w.Name]
		if !ok {
			continue
		}
		delete(left, w.Name)
		if err := m.setWeight(w, t); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("onnx: weight %q: the model has none of this name", slices.Min(slices.Collect(maps.Keys(left))))
	}
	return nil
}

func (m *Model) setWeight(w *Weight, t *tensor.Tensor) error {
	where := fmt.Sprintf("weight %q", w.Name)
	if w.Proto != nil {
		return m.setTensor(where, w.Proto, t)
	}
	old, err := m.WeightTensor(w)
	if err != nil {
		return at(err, where)
	}
	if t.DType() != tensor.Float32 || !t.Shape().Equal(old.Shape()) {
		return fmt.Errorf("onnx: %s is %v%v, cannot be set to %v", where, old.DType(), old.Shape(), t)
	}
	if w.Attr.GetName() == "value_float" {
		w.Attr.F = new(t.F32()[0])
	} else {
		w.Attr.Floats = t.Clone().F32()
	}
	return nil
}
