package onnx

import (
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// TestOldFiles reads a model from before there were operator sets and types of attributes.
func TestOldFiles(t *testing.T) {
	m := NewModel(&onnxpb.GraphProto{Name: new("g"), Input: []*onnxpb.ValueInfoProto{ValueInfo("x", tensor.Float32, 1, 2)},
		Output: []*onnxpb.ValueInfoProto{ValueInfo("y", tensor.Float32, 1, 2)},
		Node:   []*onnxpb.NodeProto{NewNode("Transpose", "", []string{"x"}, []string{"y"}, AttrInts("perm", 0, 1))}}, 1)
	m.Proto.Graph.Node[0].Attribute[0].Type = nil
	for ir, warnings := range map[int64]int{1: 2, 2: 2, 3: 1} {
		if m.Proto.IrVersion = &ir; ir > 1 {
			m.Proto.OpsetImport = []*onnxpb.OperatorSetIdProto{{Version: new(int64(1))}}
		} else {
			m.Proto.OpsetImport = nil
		}
		b, err := proto.Marshal(m.Proto)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Check(); err != nil {
			t.Error(err)
		}
		if a := got.Proto.Graph.Node[0].Attribute[0]; a.GetType() != onnxpb.AttributeProto_INTS || got.Opset("") != 1 {
			t.Errorf("IR %d: attribute of type %v, operator set %d", ir, a.GetType(), got.Opset(""))
		}
		if w := got.Warnings(); len(w) != warnings || ir < 3 && !strings.Contains(w[0], "IR version "+string(rune('0'+ir))) {
			t.Errorf("IR %d: warnings %q", ir, w)
		}
	}
}

// TestDefaults takes the default of an input away; a constant is none.
func TestDefaults(t *testing.T) {
	g := &onnxpb.GraphProto{Input: []*onnxpb.ValueInfoProto{ValueInfo("x", tensor.Float32), ValueInfo("k", tensor.Float32)},
		Initializer: []*onnxpb.TensorProto{TensorToProto("k", tensor.Scalar(float32(1))), TensorToProto("c", tensor.Scalar(float32(1)))}}
	m := NewModel(g, 17)
	if d := m.Defaults(); len(d) != 1 || d[0].GetName() != "k" || len(m.Inputs()) != 1 {
		t.Errorf("defaults %v, inputs %v", d, m.Inputs())
	}
	if m.DropDefault("c") || m.DropDefault("x") || !m.DropDefault("k") || len(m.Inputs()) != 2 || len(g.Initializer) != 1 {
		t.Errorf("inputs %v, initializers %v", m.Inputs(), g.Initializer)
	}
	m.Proto.IrVersion = new(int64(3))
	if len(m.Defaults()) > 0 {
		t.Error("a default before IR version 4")
	}
}
