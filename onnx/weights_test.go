package onnx_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// everywhere is a model with weights in all places: initializers, the three forms of Constant nodes, a body, a body with a name that the
// main graph has, and a function.
func everywhere(t *testing.T) *onnx.Model {
	two := func(seed uint64) *tensor.Tensor { return testkit.RandN(seed, 2) }
	branch := func(name string, nodes ...string) *onnxpb.AttributeProto {
		g := testkit.Text{Out: []string{"r"}, Init: map[string]*tensor.Tensor{"w": two(5), "own": two(6)}, Order: []string{"w", "own"},
			Nodes: nodes}.Graph(t)
		return onnx.AttrGraph(name, g)
	}
	cond := testkit.Node(t, "c = If(b)")
	cond.Attribute = append(cond.Attribute, branch("then_branch", "r = Add(w, own)"), branch("else_branch", "r = Mul(w, own)"))
	m := testkit.Text{
		In: []string{"x[2]", "b bool[]"}, Out: []string{"y[2]"},
		Init: map[string]*tensor.Tensor{"w": two(1), "ints": tensor.From([]int64{3},
			1), "k": two(2)},
		Order: []string{"w", "ints", "k"}, Consts: []string{"k"},
		Nodes: []string{"f = Constant(; value_float=2.5)", "fs = Constant(; value_floats=[1.5,2.5])", "i = Constant(; value_int=3)",
			"p = Mul(x, w)", "q = Mul(p, k)", "s = Mul(q, fs)",
			"z = pkg:twice(s)", "a = Mul(z, f)"},
	}.Model(t)
	m.Graph.Node = append(m.Graph.Node, cond, testkit.Node(t, "y = Add(a, c)"))
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("pkg"), Version: new(int64(1))})
	inner := testkit.Text{Init: map[string]*tensor.Tensor{"w": two(7)}, Consts: []string{"w"}, Nodes: []string{"o = Mul(v, w)"}}.Graph(t)
	m.Functions = []*onnxpb.FunctionProto{{Domain: new("pkg"), Name: new("twice"), Input: []string{"v"}, Output: []string{"o"},
		Node: inner.Node, OpsetImport: m.OpsetImport}}
	return &onnx.Model{Proto: m}
}

func TestWeights(t *testing.T) {
	m := everywhere(t)
	var names []string
	for _, w := range m.Weights() {
		names = append(names, w.Name)
	}
	want := []string{"w", "k", "f", "fs", "c/node/then_branch/w", "own", "c/node/else_branch/w", "c/node/else_branch/own", "twice/w"}
	if !slices.Equal(names, want) {
		t.Fatalf("weights %q, want %q", names, want)
	}
	for i, w := range m.Weights() {
		old, err := m.WeightTensor(w)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetWeights(map[string]*tensor.Tensor{w.Name: old}); err != nil {
			t.Fatalf("%s: %v", w.Name, err)
		}
		c := m.Clone()
		if d := onnx.CompareModels(m, c); !d.Empty() {
			t.Fatalf("%s: set to what it is, the model differs: %v", w.Name, d)
		}
		// Another value changes this weight alone, and only in the copy.
		fresh := testkit.RandN(uint64(100+i), old.Shape()...)
		if err := c.SetWeights(map[string]*tensor.Tensor{w.Name: fresh}); err != nil {
			t.Fatalf("%s: %v", w.Name, err)
		}
		for k, x := range c.Weights() {
			got, err := c.WeightTensor(x)
			if err != nil {
				t.Fatal(err)
			}
			was, err := m.WeightTensor(m.Weights()[k])
			if err != nil {
				t.Fatal(err)
			}
			if x.Name == w.Name {
				was = fresh
			}
			if !tensor.Equal(got, was) {
				t.Errorf("after setting %s, %s is %v, want %v", w.Name, x.Name, got, was)
			}
		}
	}
	two := tensor.New(tensor.Float32, 2)
	if err := m.SetWeights(map[string]*tensor.Tensor{"none": two}); err == nil {
		t.Error("setting a weight that is not there is no error")
	}
	for range 5 {
		err := m.SetWeights(map[string]*tensor.Tensor{"z": two, "w": two, "none": two, "q": two})
		if err == nil || !strings.Contains(err.Error(), `weight "none"`) {
			t.Errorf("setting weights of which some are not there: %v", err)
		}
	}
	for _, name := range []string{"w", "f", "fs", "twice/w"} {
		if err := m.SetWeights(map[string]*tensor.Tensor{name: tensor.New(tensor.Float32, 3)}); err == nil {
			t.Errorf("%s takes another shape", name)
		}
	}
}

// TestWeightNames checks that a weight of a subgraph is not called as another value of the main graph, whatever its type.
func TestWeightNames(t *testing.T) {
	m := everywhere(t)
	for _, n := range m.Proto.Graph.Node {
		if n.GetOpType() == "If" {
			n.Attribute[0].G.Initializer[1].Name = new("ints")
			n.Attribute[0].G.Node[0].Input[1] = "ints"
		}
	}
	var names []string
	for _, w := range m.Weights() {
		names = append(names, w.Name)
	}
	if !slices.Contains(names, "c/node/then_branch/ints") || slices.Contains(names, "ints") {
		t.Errorf("weights %q", names)
	}
}
