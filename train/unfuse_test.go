package train

import (
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// optimised is a network as ONNX Runtime's optimiser leaves it, that ends in a fused layer.
func optimised(last *onnxpb.NodeProto) *onnx.Model {
	fused := func(op, name string, in, out []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
		n := onnx.NewNode(op, name, in, out, attrs...)
		n.Domain = new("com.microsoft")
		return n
	}
	last.Domain = new("com.microsoft")
	w := testkit.RandN(5, 8, 3)
	if intAttr(last, "transB", 0) != 0 {
		w = testkit.RandN(5, 3, 8)
	}
	m := graphModel([]any{"N", 2, 6, 6}, []any{"N", 3}, []*onnxpb.NodeProto{
		fused("FusedConv", "first", []string{"x", "w1", "b1"}, []string{"h"}, onnx.AttrInts("kernel_shape", 3, 3),
			onnx.AttrString("activation", "LeakyRelu"), onnx.AttrFloats("activation_params", 0.2)),
		fused("FusedConv", "second", []string{"h", "w2", "", "h"}, []string{"h2"}, onnx.AttrInts("pads", 1, 1, 1, 1),
			onnx.AttrString("activation", "Clip"), onnx.AttrFloats("activation_params", -1, 2)),
		onnx.NewNode("GlobalAveragePool", "pool", []string{"h2"}, []string{"p"}),
		onnx.NewNode("Flatten", "flat", []string{"p"}, []string{"f"}),
		fused("SkipLayerNormalization", "norm", []string{"f", "f", "gamma", "beta"}, []string{"n"}),
		last,
	}, map[string]*tensor.Tensor{"w1": testkit.RandN(1, 8, 2, 3, 3), "b1": testkit.RandN(2, 8), "w2": testkit.RandN(3, 8, 8, 3, 3),
		"gamma": testkit.RandN(6, 8), "beta": testkit.RandN(7, 8), "w": w, "b": testkit.RandN(8, 3)})
	m.Proto.OpsetImport = append(m.Proto.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("com.microsoft"), Version: new(int64(1))})
	return m
}

// A last layer that ONNX Runtime has fused with its activation is found, replaced and trained like one that it has not, and so are the
// layers before it.
func TestFusedHead(t *testing.T) {
	x := testkit.RandN(9, 2, 2, 6, 6)
	outputs := func(m *onnx.Model) *tensor.Tensor {
		s, err := load(t, m).Session(engine.Query{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		return r.Value("y").Clone()
	}
	for _, c := range []struct {
		name, activation string
		last             *onnxpb.NodeProto
		params           []string
	}{
		{"gemm", "Sigmoid", onnx.NewNode("FusedGemm", "last", []string{"n", "w", "b"}, []string{"y"}, onnx.AttrInt("transB", 1),
			onnx.AttrString("activation", "Sigmoid")), []string{"w", "b"}},
		{"matmul", "", onnx.NewNode("FusedMatMul", "last", []string{"n", "w"}, []string{"y"}, onnx.AttrFloat("alpha", 0.5)), []string{"w"}},
		{"transposed", "", onnx.NewNode("FusedMatMul", "last", []string{"n", "w"}, []string{"y"}, onnx.AttrInt("transB", 1)), []string{"w"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := optimised(c.last)
			h, err := FindHead(m, "")
			if err != nil {
				t.Fatal(err)
			}
			if h.Classes != 3 || h.Activation != c.activation || !slices.Equal(h.Params, c.params) {
				t.Errorf("found %d classes, activation %q, parameters %v", h.Classes, h.Activation, h.Params)
			}
			apart := m.Clone()
			newFinder(apart).unfuseAll()
			if hasFused(apart) {
				t.Error("fused layers are left")
			}
			testkit.Close(t, "taken apart", outputs(apart), outputs(m), 1e-5, 1e-6)

			wider, fresh, err := ReplaceHead(m, 5, 1)
			if err != nil {
				t.Fatal(err)
			}
			if fresh.Classes != 5 {
				t.Errorf("%d classes after the replacement, want 5", fresh.Classes)
			}
			if y := outputs(wider); !y.Shape().Equal(tensor.Shape{2, 5}) {
				t.Errorf("outputs have shape %v", y.Shape())
			}
			if !slices.Equal(h.Params, fresh.Params) {
				t.Errorf("the head's parameters are %v, were %v", fresh.Params, h.Params)
			}
			anew, err := Reinit(m, 1)
			if err != nil {
				t.Fatal(err)
			}
			again := load(t, anew)
			for name, want := range map[string]float32{"gamma": 1, "beta": 0, "b1": 0} {
				p, err := again.Param(name)
				if err != nil {
					t.Fatal(err)
				}
				if v := p.Value.F32(); slices.ContainsFunc(v, func(x float32) bool { return x != want }) {
					t.Errorf("%s is %v after new weights were drawn, want %v", name, v, want)
				}
			}
			for _, name := range []string{"w1", "w2", "w"} {
				old, err := load(t, m).Param(name)
				if err != nil {
					t.Fatal(err)
				}
				if p, _ := again.Param(name); tensor.Equal(p.Value, old.Value) {
					t.Errorf("%s was not drawn anew", name)
				}
			}
			if l, err := (&TrAct{Layer: "first"}).Find(load(t, m), func(string) bool { return true }); err != nil || l.Weight != "w1" {
				t.Errorf("TrAct found %v, %v", l, err)
			}
			if l, err := new(TrAct).Find(load(t, m), func(string) bool { return true }); err != nil || l.Weight != "w1" {
				t.Errorf("TrAct found %v, %v", l, err)
			}
		})
	}
}
