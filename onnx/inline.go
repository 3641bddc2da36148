package onnx

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Inline puts the nodes of the function that n calls in the place of n, a node of the main graph; see Inliner.
func (m *Model) Inline(n *onnxpb.NodeProto) error {
	g := m.Proto.GetGraph()
	at := slices.Index(g.GetNode(), n)
	if at < 0 || m.Function(n) == nil {
		return fmt.Errorf("onnx: inline: %s is no call of a function in the main graph", nodeName(n))
	}
	nodes, err := NewInliner(m).Expand(n)
	if err != nil {
		return err
	}
	g.Node = slices.Replace(g.GetNode(), at, at+1, nodes...)
	return nil
}

// InlineAll puts functions in the place of all their calls in the main graph, those of functions that functions call too. It fails, and
// leaves the model as it was, when the graph then has more than most nodes.
func (m *Model) InlineAll(most int) error {
	g := m.Proto.GetGraph()
	in := NewInliner(m)
	var out []*onnxpb.NodeProto
	todo := slices.Clone(g.GetNode())
	slices.Reverse(todo) // the next one is the last
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if m.Function(n) == nil {
			out = append(out, n)
			continue
		}
		nodes, err := in.Expand(n)
		if err != nil {
			return err
		}
		slices.Reverse(nodes)
		if todo = append(todo, nodes...); len(todo)+len(out) > most {
			return fmt.Errorf("onnx: inline: functions expand to more than %d nodes", most)
		}
	}
	g.Node = out
	return nil
}

// Inliner gives what calls of functions stand for. Values and nodes inside get the name of the call before theirs. Attributes that do not
// depend on the call are shared with the function and must be replaced, not written into.
type Inliner struct {
	m      *Model
	taken  map[string]bool // names of the model
	number map[string]int  // that a name which was taken got last
	met    map[*onnxpb.FunctionProto]error
}

// NewInliner is an Inliner for the calls of functions of m.
func NewInliner(m *Model) *Inliner {
	in := &Inliner{m, map[string]bool{}, map[string]int{}, map[*onnxpb.FunctionProto]error{}}
	for g := range m.Graphs() {
		ownNames(g, in.taken)
	}
	return in
}

// Expand is the nodes that stand for n, a call of a function, in order. It fails when the function is written for other versions of
// operators than the model imports.
func (x *Inliner) Expand(n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
	f := x.m.Function(n)
	err, met := x.met[f]
	if !met {
		err = x.m.importsOf(f, nodeName(n))
		x.met[f] = err
	}
	if err != nil {
		return nil, err
	}
	in := inliner{Inliner: x, base: cmp.Or(n.GetName(), slices.Concat(n.GetOutput(), []string{"call"})[0]), to: map[string]string{}}
	given := map[string]*onnxpb.AttributeProto{}
	for _, a := range slices.Concat(f.GetAttributeProto(), n.GetAttribute()) {
		given[a.GetName()] = a
	}
	for i, name := range f.GetInput() {
		in.to[name] = ""
		if i < len(n.GetInput()) {
			in.to[name] = n.GetInput()[i]
		}
	}
	var behind []*onnxpb.NodeProto
	for i, name := range f.GetOutput() {
		if i >= len(n.GetOutput()) || n.GetOutput()[i] == "" {
			continue
		}
		if from, taken := in.to[name]; taken { // an input, or an output that is given twice
			behind = append(behind, NewNode("Identity", "", []string{from}, []string{n.GetOutput()[i]}))
			continue
		}
		in.to[name] = n.GetOutput()[i]
	}
	var nodes []*onnxpb.NodeProto
	for _, inner := range f.GetNode() {
		nodes = append(nodes, in.node(inner, given))
	}
	return append(nodes, behind...), nil
}

// importsOf makes the model import what f needs, and fails when it imports another version.
func (m *Model) importsOf(f *onnxpb.FunctionProto, where string) error {
	used := map[string]bool{}
	w := walker{node: func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) bool {
		used[normalDomain(n.GetDomain())] = true
		return true
	}}
	for _, n := range f.GetNode() {
		w.oneNode(nil, n)
	}
	for _, o := range f.GetOpsetImport() {
		d := normalDomain(o.GetDomain())
		have := m.Opset(d)
		switch {
		case !used[d] || have == o.GetVersion():
		case have == 0:
			m.Proto.OpsetImport = append(m.Proto.OpsetImport,
				&onnxpb.OperatorSetIdProto{Domain: new(o.GetDomain()), Version: new(o.GetVersion())})
		default:
			return &UnsupportedError{Where: where,
				Feature: fmt.Sprintf("putting function %q, written for version %d of operator set %q, into a model of version %d",
					f.GetName(), o.GetVersion(), d, have)}
		}
	}
	return nil
}

// ownNames adds to names those of the values that g itself has, not its subgraphs.
func ownNames(g *onnxpb.GraphProto, names map[string]bool) {
	for _, v := range g.GetInput() {
		names[v.GetName()] = true
	}
	for _, t := range g.GetInitializer() {
		names[t.GetName()] = true
	}
	for _, t := range g.GetSparseInitializer() {
		names[t.GetValues().GetName()] = true
	}
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			names[o] = true
		}
	}
}

// inliner renames the values of a function: to has the new name of each.
type inliner struct {
	*Inliner
	base string
	to   map[string]string
}

func (in *inliner) name(old string) string {
	if old == "" {
		return ""
	}
	if name, ok := in.to[old]; ok {
		return name
	}
	plain := in.base + "/" + old
	name := plain
	for i := max(2, in.number[plain]+1); in.taken[name]; i++ {
		name, in.number[plain] = fmt.Sprintf("%s~%d", plain, i), i
	}
	in.taken[name] = true
	in.to[old] = name
	return name
}

// node is a copy of n, a node of the function, with the values renamed.
func (in *inliner) node(n *onnxpb.NodeProto, given map[string]*onnxpb.AttributeProto) *onnxpb.NodeProto {
	bodies := slices.ContainsFunc(n.GetAttribute(), func(a *onnxpb.AttributeProto) bool {
		return a.GetG() != nil || len(a.GetGraphs()) > 0
	})
	out := &onnxpb.NodeProto{OpType: n.OpType, Domain: n.Domain, Overload: n.Overload, DocString: n.DocString,
		MetadataProps: n.MetadataProps, Attribute: slices.Clone(n.Attribute)}
	if bodies || RefersToCall(n) {
		out.Attribute = BindAttributes(n, given).Attribute
	}
	out.Name = new(in.base + "/" + cmp.Or(n.GetName(), slices.Concat(n.GetOutput(), []string{n.GetOpType()})[0]))
	for _, x := range n.GetInput() {
		out.Input = append(out.Input, in.name(x))
	}
	for _, x := range n.GetOutput() {
		out.Output = append(out.Output, in.name(x))
	}
	for _, a := range out.Attribute {
		for _, sub := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
			if sub != nil {
				in.body(sub, map[string]bool{})
			}
		}
	}
	return out
}

// body renames in a subgraph what it reads of the function; around has the names that the subgraphs around it have themselves.
func (in *inliner) body(g *onnxpb.GraphProto, around map[string]bool) {
	own := maps.Clone(around)
	ownNames(g, own)
	for _, n := range g.GetNode() {
		for i, x := range n.GetInput() {
			if !own[x] {
				n.Input[i] = in.name(x)
			}
		}
		for _, a := range n.GetAttribute() {
			for _, sub := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
				if sub != nil {
					in.body(sub, own)
				}
			}
		}
	}
	for _, o := range g.GetOutput() {
		if !own[o.GetName()] {
			o.Name = new(in.name(o.GetName()))
		}
	}
}
