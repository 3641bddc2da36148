//go:build linux

package torture

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

func init() {
	mutators = append(mutators,
		mutator{"body", 2, changeBody}, mutator{"function", 2, makeFunction}, mutator{"loop", 1, makeLoop}, mutator{"rename", 1, renameAll},
	)
}

// changeBody puts the whole graph, another body or nests of itself into a body; a model without bodies gets an If.
func changeBody(r *rand.Rand, m *onnxpb.ModelProto) string {
	var all []*onnxpb.AttributeProto
	for _, n := range nodes(m) {
		for _, a := range n.Attribute {
			if a.G != nil {
				all = append(all, a)
			}
		}
	}
	whole := proto.Clone(m.Graph).(*onnxpb.GraphProto)
	if proto.Size(whole) > 1<<20 {
		return ""
	}
	a, ok := anyOf(r, all)
	if !ok {
		vs := values(m.Graph)
		if len(vs) == 0 || len(m.Graph.Output) == 0 {
			return ""
		}
		whole.Input = nil
		n := &onnxpb.NodeProto{OpType: proto.String("If"), Input: []string{some(r, vs)}, Output: []string{"chosen"},
			Attribute: []*onnxpb.AttributeProto{onnx.AttrGraph("then_branch", whole),
				onnx.AttrGraph("else_branch", proto.Clone(whole).(*onnxpb.GraphProto))}}
		m.Graph.Node = append(m.Graph.Node, n)
		m.Graph.Output[0].Name = proto.String("chosen")
		return "an If has the graph as bodies"
	}
	switch r.IntN(3) {
	case 0:
		a.G = whole
		return a.GetName() + " is the whole graph"
	case 1:
		a.G = proto.Clone(some(r, all).G).(*onnxpb.GraphProto)
		return a.GetName() + " is another body"
	}
	a.G = &onnxpb.GraphProto{}
	return a.GetName() + " is empty"
}

// makeFunction makes an operator of the model a function: of itself, of a chain of functions, with attributes that refer to others.
func makeFunction(r *rand.Rand, m *onnxpb.ModelProto) string {
	n := anyNode(r, m)
	if n == nil {
		return ""
	}
	domain := some(r, []string{"f", "", "com.microsoft"})
	op := n.GetOpType()
	inner := proto.Clone(n).(*onnxpb.NodeProto)
	said := "calls itself"
	switch r.IntN(3) {
	case 0:
		inner.Domain = &domain
	case 1:
		inner.OpType, inner.Domain = proto.String("Identity"), nil
		said = "is Identity"
	default:
		said = "wraps itself"
		for _, a := range inner.Attribute {
			if r.IntN(2) == 0 {
				a.RefAttrName = proto.String(some(r, attributeNames))
			}
		}
	}
	f := &onnxpb.FunctionProto{Name: &op, Domain: &domain, Input: n.Input, Output: n.Output, Node: []*onnxpb.NodeProto{inner},
		OpsetImport: m.OpsetImport}
	if r.IntN(4) == 0 {
		f.Input = slices.Clone(f.Input)
		f.Input = append(f.Input, f.Input...)
	}
	n.Domain = &domain
	m.Functions = append(m.Functions, f)
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: &domain, Version: proto.Int64(1)})
	return fmt.Sprintf("function %s of domain %q %s", op, domain, said)
}

// makeLoop puts a Loop around a value of the graph, with a trip count of any size.
func makeLoop(r *rand.Rand, m *onnxpb.ModelProto) string {
	g := m.Graph
	vs := values(g)
	if len(vs) == 0 || len(g.Output) == 0 {
		return ""
	}
	trips, v := some(r, extremes), some(r, vs)
	op := some(r, []string{"Identity", "Add", "Concat", "Mul", "Sum"})
	step := &onnxpb.NodeProto{OpType: &op, Input: []string{"state", "state"}, Output: []string{"next"}}
	if op == "Identity" {
		step.Input = step.Input[:1]
	}
	if op == "Concat" {
		step.Attribute = []*onnxpb.AttributeProto{onnx.AttrInt("axis", 0)}
	}
	body := &onnxpb.GraphProto{Name: proto.String("body"),
		Node:   []*onnxpb.NodeProto{{OpType: proto.String("Identity"), Input: []string{"on"}, Output: []string{"still"}}, step},
		Input:  []*onnxpb.ValueInfoProto{onnx.ValueInfo("i", 7), onnx.ValueInfo("on", 9), {Name: proto.String("state")}},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("still", 9), {Name: proto.String("next")}}}
	outs := []string{"looped"}
	if r.IntN(2) == 0 { // what each trip gives is kept
		body.Output = append(body.Output, &onnxpb.ValueInfoProto{Name: proto.String("next")})
		outs = append(outs, "all")
	}
	g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: proto.String("trips"), DataType: proto.Int32(7),
		Int64Data: []int64{trips}})
	g.Node = append(g.Node, &onnxpb.NodeProto{OpType: proto.String("Loop"), Input: []string{"trips", "", v}, Output: outs,
		Attribute: []*onnxpb.AttributeProto{onnx.AttrGraph("body", body)}})
	some(r, g.Output).Name = proto.String(some(r, outs))
	return fmt.Sprintf("a Loop of %d trips of %s over %.40q", trips, op, v)
}

// renameAll gives a value another name wherever it stands.
func renameAll(r *rand.Rand, m *onnxpb.ModelProto) string {
	v, ok := anyOf(r, values(m.Graph))
	if !ok {
		return ""
	}
	to := some(r, names)
	in := func(list []string) {
		for i := range list {
			if list[i] == v {
				list[i] = to
			}
		}
	}
	for _, n := range nodes(m) {
		in(n.Input)
		in(n.Output)
		if r.IntN(8) == 0 {
			n.Name = &to
		}
	}
	for _, g := range graphs(m) {
		for _, list := range [][]*onnxpb.ValueInfoProto{g.Input, g.Output, g.ValueInfo} {
			for _, x := range list {
				if x.GetName() == v {
					x.Name = &to
				}
			}
		}
		for _, x := range g.Initializer {
			if x.GetName() == v {
				x.Name = &to
			}
		}
	}
	return fmt.Sprintf("%.40q is %.40q", v, to)
}
