package onnx

import (
	"errors"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

func TestCheck(t *testing.T) {
	m, err := Parse(varied(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil {
		t.Fatalf("the sound model: %v", err)
	}
	node := func(p *onnxpb.ModelProto, op string) *onnxpb.NodeProto {
		for _, n := range p.Graph.Node {
			if n.GetOpType() == op {
				return n
			}
		}
		panic(op)
	}
	for want, breakIt := range map[string]func(p *onnxpb.ModelProto){
		"has no IR version":                             func(p *onnxpb.ModelProto) { p.IrVersion = nil },
		"unsupported feature: IR version 14":            func(p *onnxpb.ModelProto) { *p.IrVersion = 14 },
		"unsupported feature: IR version -1":            func(p *onnxpb.ModelProto) { *p.IrVersion = -1 },
		"imports no operator set":                       func(p *onnxpb.ModelProto) { p.OpsetImport = nil },
		`no operator set of domain "other"`:             func(p *onnxpb.ModelProto) { node(p, "Add").Domain = new("other") },
		`domain "" is imported twice`:                   func(p *onnxpb.ModelProto) { p.OpsetImport[1].Domain = new("ai.onnx") },
		`has the version 0`:                             func(p *onnxpb.ModelProto) { *p.OpsetImport[0].Version = 0 },
		"the model has no graph":                        func(p *onnxpb.ModelProto) { p.Graph = nil },
		`node "add" (Add): input 1 "no" is produced by`: func(p *onnxpb.ModelProto) { node(p, "Add").Input[1] = "no" },
		`output "h" is also produced by node "add"`:     func(p *onnxpb.ModelProto) { node(p, "Mul").Output[0] = "h" },
		`output "x" is also produced by a graph input`:  func(p *onnxpb.ModelProto) { node(p, "Mul").Output[0] = "x" },
		"(Add): is on a cycle":                          func(p *onnxpb.ModelProto) { node(p, "Add").Input[0] = "y" },
		"(Mul): is on a cycle":                          func(p *onnxpb.ModelProto) { node(p, "Mul").Input[0] = "y" },
		`node "if" (If): is on a cycle`: func(p *onnxpb.ModelProto) {
			node(p, "If").Attribute[0].G.Node[0].Input[0] = "z"
		},
		`graph output "y" is produced by no node`: func(p *onnxpb.ModelProto) { node(p, "Mul").Output[0] = "q" },
		"then_branch: node of output \"a\" (Relu): inpu": func(p *onnxpb.ModelProto) {
			node(p, "If").Attribute[0].G.Node[0].Input[0] = "no"
		},
		`then_branch: graph output "b"`: func(p *onnxpb.ModelProto) {
			node(p, "If").Attribute[0].G.Output[0].Name = new("b")
		},
		"attribute then_branch: has no known type": func(p *onnxpb.ModelProto) {
			node(p, "If").Attribute[0] = &onnxpb.AttributeProto{Name: new("then_branch")}
		},
		"is of type GRAPH and has no value":            func(p *onnxpb.ModelProto) { node(p, "If").Attribute[0].G = nil },
		"is of type GRAPH and has a value of type INT": func(p *onnxpb.ModelProto) { node(p, "If").Attribute[0].I = new(int64(1)) },
		"attribute then_branch is there twice": func(p *onnxpb.ModelProto) {
			node(p, "If").Attribute[1].Name = new("then_branch")
		},
		"an attribute has no name": func(p *onnxpb.ModelProto) { node(p, "If").Attribute[1].Name = nil },
		"names no operator":        func(p *onnxpb.ModelProto) { node(p, "Add").OpType = nil },
		`refers to the attribute "alpha" of a function`: func(p *onnxpb.ModelProto) {
			node(p, "F").Attribute[0].RefAttrName = new("alpha")
		},
		`two initializers are named "w"`:              func(p *onnxpb.ModelProto) { p.Graph.Initializer[1].Name = new("w") },
		"initializer 0 has no name":                   func(p *onnxpb.ModelProto) { p.Graph.Initializer[0].Name = nil },
		`initializer "w": float32[20] needs 80 bytes`: func(p *onnxpb.ModelProto) { p.Graph.Initializer[0].RawData = make([]byte, 79) },
		`sparse initializer "sp": index 9 is outside`: func(p *onnxpb.ModelProto) { p.Graph.SparseInitializer[0].Indices.RawData[0] = 9 },
		"graph input 0 has no name":                   func(p *onnxpb.ModelProto) { p.Graph.Input[0].Name = nil },
		`element type 77 does not exist`: func(p *onnxpb.ModelProto) {
			p.Graph.Input[0].Type.GetTensorType().ElemType = new(int32(77))
		},
		`function "my"."F":"": is defined twice`:   func(p *onnxpb.ModelProto) { p.Functions = append(p.Functions, p.Functions[0]) },
		`function "my"."F":"": output "no"`:        func(p *onnxpb.ModelProto) { p.Functions[0].Output[0] = "no" },
		`input 0 "w" is produced by no node`:       func(p *onnxpb.ModelProto) { p.Functions[0].Node[0].Input[0] = "w" },
		`the function needs the attribute "alpha"`: func(p *onnxpb.ModelProto) { node(p, "F").Attribute = nil },
		"has 2 inputs and 1 outputs, the function has": func(p *onnxpb.ModelProto) {
			node(p, "F").Input = []string{"z", "z"}
		},
		"calls itself": func(p *onnxpb.ModelProto) {
			p.Functions[0].Node[0].OpType, p.Functions[0].Node[0].Domain = new("F"), new("my")
		},
		"training_info[0].algorithm: node": func(p *onnxpb.ModelProto) {
			p.TrainingInfo = []*onnxpb.TrainingInfoProto{{Algorithm: &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{NewNode("Relu", "",
				[]string{"no"}, []string{"r"})}}}}
		},
	} {
		c := m.Clone()
		breakIt(c.Proto)
		err := c.Check()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
		var fe *FormatError
		var ue *UnsupportedError
		if !errors.As(err, &fe) && !errors.As(err, &ue) {
			t.Errorf("%T", err)
		}
	}
}

func TestCheckLenient(t *testing.T) {
	m, _ := Parse(varied(t))
	g := m.Proto.Graph
	for i, j := 0, len(g.Node)-1; i < j; i, j = i+1, j-1 { // any order of nodes
		g.Node[i], g.Node[j] = g.Node[j], g.Node[i]
	}
	g.Name = nil
	for _, n := range g.Node { // a subgraph with a value named as one outside
		if n.GetOpType() == "If" {
			n.Attribute[1].G.Node[0].Output[0] = "h"
			n.Attribute[1].G.Output[0].Name = new("h")
		}
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckListsMany(t *testing.T) {
	m := addModel(2)
	for range 300 {
		m.Proto.Graph.Node = append(m.Proto.Graph.Node, NewNode("Relu", "", []string{"no"}, nil))
	}
	err := m.Check()
	if err == nil || !strings.Contains(err.Error(), "and 200 problems more") {
		t.Errorf("%v", err)
	}
}

func TestModelAccess(t *testing.T) {
	m := addModel(3)
	if m.Opset("") != 17 || m.Opset("ai.onnx") != 17 || m.Opset("other") != 0 {
		t.Error("Opset")
	}
	if _, ok := m.Metadata("k"); ok {
		t.Error("metadata that is not there")
	}
	m.SetMetadata("k", "1")
	m.SetMetadata("l", "2")
	m.SetMetadata("k", "3")
	if v, ok := m.Metadata("k"); v != "3" || !ok || len(m.Proto.MetadataProps) != 2 {
		t.Error(m.Proto.MetadataProps)
	}
	if w := m.Warnings(); len(w) != 0 {
		t.Error(w)
	}
	m.Proto.OpsetImport[0].Version = new(int64(LatestOpset + 1))
	*m.Proto.IrVersion = MaxIR + 1
	if w := m.Warnings(); len(w) != 2 {
		t.Error(w)
	}
	// Before IR 4 initializers are inputs too.
	m.Proto.Graph.Input = append(m.Proto.Graph.Input, ValueInfo("w", tensor.Float32, 3))
	if in := m.Inputs(); len(in) != 1 || in[0].GetName() != "x" {
		t.Error(in)
	}
}

func TestSetInitializer(t *testing.T) {
	for _, s := range storages() {
		m := addModel(2)
		p := s.p
		p.Name, p.DocString = new("s"), new("doc")
		m.Proto.Graph.Initializer = append(m.Proto.Graph.Initializer, p)
		c := m.Clone()
		v, err := c.Tensor(p)
		if err != nil {
			t.Fatal(err)
		}
		v = v.Clone()
		if b := v.Bytes(); len(b) > 0 {
			b[0] = 1
		}
		if err := c.SetInitializer("s", v); err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		got, err := c.Tensor(c.Initializer("s"))
		if err != nil || !sameValues(got, v) {
			t.Errorf("%s: %v %v, want %v", s.name, err, got.Bytes(), v.Bytes())
		}
		if storage(c.Initializer("s")) != storage(p) || c.Initializer("s").GetDocString() != "doc" {
			t.Errorf("%s: stored in another form", s.name)
		}
		if old, _ := m.Tensor(p); string(old.Bytes()) != string(s.want) {
			t.Errorf("%s: the original has changed", s.name)
		}
	}
	m := addModel(2)
	if err := m.SetInitializer("W", tensor.New(tensor.Float32, 2)); err == nil || !strings.Contains(err.Error(), "none of this name") {
		t.Error(err)
	}
	if err := m.SetInitializer("smal", tensor.New(tensor.Float32, 1)); err == nil ||
		!strings.Contains(err.Error(), `did you mean "small"?`) {
		t.Error(err)
	}
	for _, v := range []*tensor.Tensor{tensor.New(tensor.Float32, 3), tensor.New(tensor.Float64, 2)} {
		if err := m.SetInitializer("w", v); err == nil || !strings.Contains(err.Error(), "cannot be set to") {
			t.Error(err)
		}
	}
}

func TestReplaceNode(t *testing.T) {
	m := addModel(2)
	m.Proto.Graph.Node = append(m.Proto.Graph.Node, NewNode("Identity", "", []string{"w"}, []string{"w2"}))
	if err := m.ReplaceNodeByInitializer("w2", tensor.From([]float32{4, 5}, 2)); err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil || len(m.Proto.Graph.Node) != 2 || values(t, m, "w2")[1] != 5 {
		t.Errorf("%v %v", err, m.Proto.Graph)
	}
	if err := m.ReplaceNodeByInitializer("none", tensor.New(tensor.Float32)); err == nil {
		t.Error("no error")
	}
}

func TestBindAttributes(t *testing.T) {
	ref := func(name, to string) *onnxpb.AttributeProto {
		return &onnxpb.AttributeProto{Name: &name, RefAttrName: &to, Type: onnxpb.AttributeProto_FLOAT.Enum()}
	}
	n := NewNode("Op", "", []string{"x"}, []string{"y"}, ref("alpha", "a"), ref("beta", "b"), AttrGraph("g", &onnxpb.GraphProto{
		Node: []*onnxpb.NodeProto{NewNode("Inner", "", nil, nil, ref("gamma", "a"))},
	}))
	got := BindAttributes(n, map[string]*onnxpb.AttributeProto{"a": AttrFloat("a", 3)})
	if len(got.Attribute) != 2 || got.Attribute[0].GetName() != "alpha" || got.Attribute[0].GetF() != 3 ||
		got.Attribute[0].RefAttrName != nil {
		t.Errorf("%v", got)
	}
	if in := got.Attribute[1].G.Node[0].Attribute[0]; in.GetName() != "gamma" || in.GetF() != 3 {
		t.Errorf("%v", in)
	}
	got.Input[0] = "other"
	if n.Input[0] != "x" || len(n.Attribute) != 3 || n.Attribute[2].G.Node[0].Attribute[0].GetRefAttrName() != "a" {
		t.Errorf("the original has changed: %v", n)
	}
}

func TestCompareModels(t *testing.T) {
	a, _ := Parse(varied(t))
	for want, change := range map[string]func(m *Model){
		"~ graph.node[add].op_type: \"Add\" → \"Sub\"": func(m *Model) { m.Proto.Graph.Node[0].OpType = new("Sub") },
		"- graph.node[add]: Add(x, w) → h":             func(m *Model) { m.Proto.Graph.Node = m.Proto.Graph.Node[1:] },
		"~ graph.node[output f].attribute[alpha].f: 2 → 3": func(m *Model) {
			m.Proto.Graph.Node[3].Attribute[0].F = new(float32(3))
		},
		"+ graph.node[mul].attribute[k]: 5": func(m *Model) {
			n := m.Proto.Graph.Node[1]
			n.Attribute = append(n.Attribute, AttrInt("k", 5))
		},
		"~ graph.initializer[w]: float32[20] → other values (20 of 20": func(m *Model) {
			m.Proto.Graph.Initializer[0].RawData = append([]byte{1}, make([]byte, 79)...)
		},
		"initializer[w] is stored as: raw bytes → typed values": func(m *Model) {
			p := m.Initializer("w")
			v, _ := m.Tensor(p)
			p.RawData, p.FloatData = nil, v.F32()
		},
		"~ metadata_props[k].value: \"v\" → \"u\"": func(m *Model) { m.SetMetadata("k", "u") },
		"- graph.input[x]: float32[N,20]":          func(m *Model) { m.Proto.Graph.Input[0].Name = new("x2") },
		"~ opset_import[ai.onnx].version: 17 → 18": func(m *Model) { m.Proto.OpsetImport[0].Version = new(int64(18)) },
		"unknown fields: 0 bytes → 3 other bytes": func(m *Model) {
			m.Proto.ProtoReflect().SetUnknown([]byte{0xf8, 0x7f, 1})
		},
		"~ graph.node: this order → another order": func(m *Model) { n := m.Proto.Graph.Node; n[0], n[1] = n[1], n[0] },
		"~ graph.node[add].input: [\"x\" \"w\"] → [\"w\" \"x\"]": func(m *Model) {
			n := m.Proto.Graph.Node[0]
			n.Input[0], n.Input[1] = "w", "x"
		},
	} {
		b := a.Clone()
		change(b)
		if d := CompareModels(a, b); d.Empty() || !strings.Contains(d.String(), want) {
			t.Errorf("%v\nwant %s", d, want)
		}
	}
	b := a.Clone()
	b.Proto.Graph.Node[0].OpType = new("Sub")
	b.SetMetadata("k", "u")
	if d := CompareModels(a, b); len(d.Nodes) != 1 || len(d.Metadata) != 1 ||
		len(d.Other)+len(d.IO)+len(d.Attributes)+len(d.Initializers) != 0 {
		t.Errorf("%v", d)
	}
}
