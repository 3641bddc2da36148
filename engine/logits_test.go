package engine_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// A head is found behind a softmax of one node, of one that is written out, and through operators that keep the numbers.
func TestHead(t *testing.T) {
	softmax := []*onnxpb.NodeProto{onnx.NewNode("Softmax", "s", []string{"z"}, []string{"y"}, onnx.AttrInt("axis", -1))}
	parts := []*onnxpb.NodeProto{
		onnx.NewNode("ReduceMax", "max", []string{"z"}, []string{"m"}, onnx.AttrInts("axes", 1)),
		onnx.NewNode("Sub", "shift", []string{"z", "m"}, []string{"d"}),
		onnx.NewNode("Exp", "exp", []string{"d"}, []string{"e"}),
		onnx.NewNode("ReduceSum", "sum", []string{"e", "axes"}, []string{"t"}),
		onnx.NewNode("Div", "div", []string{"e", "t"}, []string{"y"}),
	}
	other := []*onnxpb.NodeProto{
		onnx.NewNode("Exp", "exp", []string{"z"}, []string{"e"}),
		onnx.NewNode("Div", "div", []string{"z", "e"}, []string{"y"}),
	}
	for _, c := range []struct {
		name               string
		nodes              []*onnxpb.NodeProto
		logits, activation string
	}{
		{"softmax", softmax, "z", "Softmax"},
		{"parts", parts, "z", "Softmax"},
		{"another quotient", other, "y", ""},
		{"flatten", append([]*onnxpb.NodeProto{onnx.NewNode("LogSoftmax", "l", []string{"z"}, []string{"p"})}, onnx.NewNode("Flatten", "f", []string{"p"}, []string{"y"})), "z", "LogSoftmax"},
	} {
		g := &onnxpb.GraphProto{
			Name:        new("head"),
			Input:       []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", 4)},
			Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("w", tensor.New(tensor.Float32, 4, 3)), onnx.TensorToProto("axes", tensor.From([]int64{1}, 1))},
			Node:        append([]*onnxpb.NodeProto{onnx.NewNode("MatMul", "fc", []string{"x", "w"}, []string{"z"})}, c.nodes...),
			Output:      []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", 3)},
		}
		h, err := load(t, onnx.NewModel(g, 13)).Head("")
		if err != nil {
			t.Fatal(err)
		}
		if h.Logits != c.logits || h.Activation != c.activation {
			t.Errorf("%s: logits %q before %q, want %q before %q", c.name, h.Logits, h.Activation, c.logits, c.activation)
		}
	}
}
