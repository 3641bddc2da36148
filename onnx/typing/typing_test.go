package typing

import (
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
)

// TestNodes follows element types through operators that keep them, name them, and mix them up.
func TestNodes(t *testing.T) {
	node := func(op string, out string, in ...string) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{OpType: &op, Input: in, Output: []string{out}}
	}
	to := func(n *onnxpb.NodeProto, name string, v int64) *onnxpb.NodeProto {
		n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: &name, Type: new(onnxpb.AttributeProto_INT), I: &v})
		return n
	}
	s := &Scope{Of: map[string]*onnxpb.TypeProto{"x": Tensor(1, []int64{2}), "i": Tensor(7, nil), "wrong": Tensor(9, nil)}}
	var errs []string
	Nodes([]*onnxpb.NodeProto{
		node("Relu", "a", "x"), to(node("Cast", "b", "x"), "to", 10), node("Shape", "c", "b"), node("Equal", "d", "i", "c"),
		node("SequenceConstruct", "e", "b", "b"), node("SequenceAt", "f", "e", "i"), node("Add", "g", "x", "i"), node("Relu", "wrong", "x"),
		node("QuantizeLinear", "h", "x", "x"), node("Nothing", "k", "x"), node("Relu", "l", "d"),
	}, s, func(string) int64 { return 17 }, nil, func(n *onnxpb.NodeProto, err error) { errs = append(errs, n.GetOpType()+": "+err.Error()) })
	for name, want := range map[string]string{"a": "float", "b": "float16", "c": "int64", "d": "bool", "e": "seq(tensor(float16))",
		"f": "float16",
		"h": "uint8", "k": ""} {
		if got := schema.TypeName(s.Lookup(name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	all := strings.Join(errs, "\n")
	for _, want := range []string{`Add: inputs 0 "x" and 1 "i" are float and int64, and must be of one type`,
		`Relu: output 0 "wrong" is declared as bool and is float`,
		`Relu: input 0 "d" (X) is bool, which Relu of operator set 14 does not take`} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if len(errs) != 3 {
		t.Errorf("%d errors:\n%s", len(errs), all)
	}
}
