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
