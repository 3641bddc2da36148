package onnx_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// called is a model that calls a function with an attribute, a body that reads its values, an output that is an input, and an input that
// is left out.
func called(t *testing.T) *onnx.Model {
	m := testkit.Text{
		In: []string{"x[N,2]", "c bool[]"}, Out: []string{"y[N,2]"}, Init: map[string]*tensor.Tensor{"w": testkit.RandN(1, 2, 2)},
		Nodes: []string{"h, same = pkg:f(x, w, c; slope=0.5)", "m = Mul(h, same)", "y, = pkg:f(m, w, c, w; slope=0.25)"},
	}.Model(t)
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("pkg"), Version: new(int64(1))})
	inner := testkit.Text{Nodes: []string{"q = MatMul(a, w)", "r = LeakyRelu(q; alpha=@float:slope)"}}.Graph(t)
	cond := testkit.Node(t, "s = If(c)")
	cond.Attribute = append(cond.Attribute,
		onnx.AttrGraph("then_branch", testkit.Text{Out: []string{"o"}, Nodes: []string{"o = Add(r, a)"}}.Graph(t)),
		onnx.AttrGraph("else_branch", testkit.Text{Out: []string{"r"}}.Graph(t)))
	k := testkit.Text{Init: map[string]*tensor.Tensor{"k": testkit.RandN(2, 2)}, Consts: []string{"k"},
		Nodes: []string{"out = Add(s, k)"}}.Graph(t)
	m.Functions = []*onnxpb.FunctionProto{{Domain: new("pkg"), Name: new("f"), Input: []string{"a", "w", "c", "unused"},
		Output: []string{"out", "a"}, Attribute: []string{"slope"},
		Node: append(append(inner.Node, cond), k.Node...), OpsetImport: m.OpsetImport[:1]}}
	return &onnx.Model{Proto: m}
}

func TestInline(t *testing.T) {
	m := called(t)
	before, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	c := m.Clone()
	for i := 0; i < len(c.Proto.Graph.Node); i++ {
		if n := c.Proto.Graph.Node[i]; n.GetDomain() == "pkg" {
			if err := c.Inline(n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Check(); err != nil {
		t.Errorf("what was inlined is malformed: %v", err)
	}
	for _, n := range c.Proto.Graph.Node {
		if n.GetDomain() != "" || onnx.RefersToCall(n) {
			t.Errorf("%v is left", n)
		}
	}
	if b, err := m.Bytes(); err != nil || string(b) != string(before) {
		t.Error("inlining in a copy changed the model")
	}
	if err := c.Inline(c.Proto.Graph.Node[0]); err == nil {
		t.Error("inlining an operator is no error")
	}
	old := called(t)
	old.Proto.Functions[0].OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: new(""), Version: new(int64(13))}}
	err = old.Inline(old.Proto.Graph.Node[0])
	if _, ok := errors.AsType[*onnx.UnsupportedError](err); !ok || !strings.Contains(err.Error(), "version 13") {
		t.Errorf("a function of another operator set: %v", err)
	}
}

// TestInlineSparse checks that a subgraph goes on reading its own sparse initializer, and hands it on, where all else gets a new name.
func TestInlineSparse(t *testing.T) {
	sparse := &onnxpb.SparseTensorProto{Values: testkit.TensorProto("k", tensor.From([]float32{3}, 1)),
		Indices: testkit.TensorProto("", tensor.From([]int64{1}, 1)), Dims: []int64{2}}
	m := testkit.Text{In: []string{"x[2]", "c bool[]"}, Out: []string{"y[2]"}, Nodes: []string{"y = pkg:f(x, c)"}}.Model(t)
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("pkg"), Version: new(int64(1))})
	then := testkit.Text{Out: []string{"o[2]"}, Nodes: []string{"o = Add(k, b)"}}.Graph(t)
	otherwise := testkit.Text{Out: []string{"k[2]"}}.Graph(t)
	then.SparseInitializer, otherwise.SparseInitializer = []*onnxpb.SparseTensorProto{sparse}, []*onnxpb.SparseTensorProto{sparse}
	cond := testkit.Node(t, "s = If(c)")
	cond.Attribute = append(cond.Attribute, onnx.AttrGraph("then_branch", then), onnx.AttrGraph("else_branch", otherwise))
	m.Functions = []*onnxpb.FunctionProto{{Domain: new("pkg"), Name: new("f"), Input: []string{"a", "c"}, Output: []string{"s"},
		Node: []*onnxpb.NodeProto{testkit.Node(t, "b = Neg(a)"), cond}, OpsetImport: m.OpsetImport[:1]}}
	c := &onnx.Model{Proto: m}
	if err := c.Inline(m.Graph.Node[0]); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Errorf("what was inlined is malformed: %v", err)
	}
	bodies := m.Graph.Node[1].Attribute
	if in := bodies[0].G.Node[0].Input; in[0] != "k" || in[1] != m.Graph.Node[0].Output[0] {
		t.Errorf("the subgraph reads %q", in)
	}
	if out := bodies[1].G.Output[0].GetName(); out != "k" {
		t.Errorf("the subgraph gives %q", out)
	}
}
