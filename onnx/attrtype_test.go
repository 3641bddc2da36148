package onnx_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// untyped is a Relu-like model of an IR version whose one attribute has no type.
func untyped(ir int64, a *onnxpb.AttributeProto) *onnx.Model {
	n := onnx.NewNode("LeakyRelu", "n", []string{"x"}, []string{"y"}, a)
	value := func(name string) *onnxpb.ValueInfoProto {
		return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(int32(1))}}}}
	}
	m := onnx.NewModel(&onnxpb.GraphProto{Name: new("g"), Node: []*onnxpb.NodeProto{n}, Input: []*onnxpb.ValueInfoProto{value("x")},
		Output: []*onnxpb.ValueInfoProto{value("y")}}, 6)
	m.Proto.IrVersion = &ir
	if ir < 3 {
		m.Proto.OpsetImport = nil
	}
	return m
}

// TestAttrType: an attribute without a type has that of its value; one that has several values, or none, has none.
func TestAttrType(t *testing.T) {
	for _, ir := range []int64{3, 9} {
		m := untyped(ir, &onnxpb.AttributeProto{Name: new("alpha"), F: new(float32(0))})
		if err := m.Check(); err != nil {
			t.Errorf("IR version %d: %v", ir, err)
		}
		if m.Opset("") != 6 {
			t.Errorf("IR version %d: operator set %d", ir, m.Opset(""))
		}
	}
	for _, c := range []struct {
		a    *onnxpb.AttributeProto
		want onnxpb.AttributeProto_AttributeType
	}{
		{&onnxpb.AttributeProto{I: new(int64(0))}, onnxpb.AttributeProto_INT},
		{&onnxpb.AttributeProto{Ints: []int64{1}}, onnxpb.AttributeProto_INTS},
		{&onnxpb.AttributeProto{S: []byte("x")}, onnxpb.AttributeProto_STRING},
		{&onnxpb.AttributeProto{G: &onnxpb.GraphProto{}}, onnxpb.AttributeProto_GRAPH},
		{&onnxpb.AttributeProto{I: new(int64(0)), F: new(float32(0))}, onnxpb.AttributeProto_UNDEFINED},
		{&onnxpb.AttributeProto{}, onnxpb.AttributeProto_UNDEFINED},
	} {
		if got := onnx.AttrType(c.a); got != c.want {
			t.Errorf("%v: type %v, want %v", c.a, got, c.want)
		}
	}
	m := untyped(3, &onnxpb.AttributeProto{Name: new("alpha")})
	if m.Check() == nil {
		t.Error("an attribute without type and value passes")
	}
}
