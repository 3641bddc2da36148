package check

import (
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestFull lists every problem of a model that has one of each, with the node and what to do.
func TestFull(t *testing.T) {
	v := onnx.ValueInfo
	nd := onnx.NewNode
	body := &onnxpb.GraphProto{Name: new("b"), Input: []*onnxpb.ValueInfoProto{v("x", tensor.Float32)},
		Output: []*onnxpb.ValueInfoProto{v("o", tensor.Float32)},
		Node:   []*onnxpb.NodeProto{nd("Neg", "", []string{"x"}, []string{"o"})}}
	g := &onnxpb.GraphProto{
		Input:       []*onnxpb.ValueInfoProto{v("x", tensor.Float32, 2), v("k", tensor.Int64, 1), {Name: new("z")}},
		Output:      []*onnxpb.ValueInfoProto{v("y", tensor.Float32, 2), v("bool", tensor.Bool, 2)},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("k", tensor.From([]float32{1}, 1)), onnx.TensorToProto("c", tensor.Scalar(true))},
		Node: []*onnxpb.NodeProto{
			nd("Relu", "early", []string{"late"}, []string{"y"}),
			nd("Neg", "n1", []string{"x"}, []string{"late"}),
			nd("Reluu", "n2", []string{"x"}, []string{"a1"}),
			nd("Gelu", "n3", []string{"x"}, []string{"a2"}),
			nd("Conv", "n4", []string{"x"}, []string{"a3"}),
			nd("Conv", "n5", []string{"x", ""}, []string{"a4"}, onnx.AttrInts("padz", 1)),
			nd("Concat", "n6", []string{"x"}, []string{"a5"}),
			nd("Softmax", "n7", []string{"x"}, []string{"a6"}, onnx.AttrFloat("axis", 1)),
			nd("Add", "n8", []string{"x", "c"}, []string{"a7"}),
			nd("Relu", "n9", []string{"x"}, []string{"bool"}),
			nd("Upsample", "n10", []string{"x", "x"}, []string{"a8"}),
			nd("If", "n11", []string{"c"}, []string{"a9"}, onnx.AttrGraph("then_branch", body), onnx.AttrGraph("else_branch", body)),
			nd("Relu", "n12", []string{"x", "x"}, []string{"a10"}),
			nd("Relu", "n13", []string{"nobody"}, []string{"a11"}),
		},
	}
	m := onnx.NewModel(g, 17)
	m.Proto.IrVersion = new(int64(3))
	m.Proto.Functions = []*onnxpb.FunctionProto{{Name: new("F"), Domain: new("d")}}
	m.Path = "m.onnx"
	var all []string
	for _, err := range Full(m) {
		all = append(all, err.Error())
		if !strings.HasPrefix(err.Error(), "onnx: m.onnx: ") {
			t.Errorf("%q does not name the file", err)
		}
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		`functions, which came with IR version 8`,
		`the graph has no name`,
		`node "early" (Relu): input 0 "late" is made by a later node, node "n1" (Neg): sort the nodes`,
		`node "n2" (Reluu): operator set 17 of ai.onnx has no operator of this name (did you mean Relu?)`,
		`node "n3" (Gelu): the operator came with operator set 20 of ai.onnx, and the model imports 17`,
		`node "n4" (Conv): has 1 inputs, and needs at least 2: the next is W`,
		`node "n5" (Conv): input 1 (W) is left out`,
		`has the attribute "padz", which version 11 of the operator does not know (did you mean pads?)`,
		`node "n6" (Concat): has no attribute axis, which it needs`,
		`node "n7" (Softmax): attribute axis is of type FLOAT, and must be of INT`,
		`node "n8" (Add): input 1 "c" (B) is bool, which Add of operator set 14 does not take`,
		`node "n9" (Relu): output 0 "bool" is declared as bool and is float`,
		`node "n10" (Upsample): the operator is there no more since operator set 10`,
		`node "n11" (If): the graph in attribute then_branch has 1 inputs and 1 outputs, and needs 0 and 1`,
		`"x" is also a value of a graph around this one`,
		`node "n12" (Relu): has 2 inputs, and takes at most 1`,
		`node "n13" (Relu): input 0 "nobody" is produced by no node`,
		`input "k": is declared as int64[1], and the initializer of its name is float32[1]`,
		`input "z": has no type`,
		`initializer "c": is no graph input, as all were before IR version 4`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestMany counts problems beyond the first thousand.
func TestMany(t *testing.T) {
	g := &onnxpb.GraphProto{Name: new("g")}
	for range 3000 {
		g.Node = append(g.Node, onnx.NewNode("Nope", "", nil, nil))
	}
	errs := Full(onnx.NewModel(g, 17))
	if n := len(errs); n != maxProblems+1 || !strings.Contains(errs[n-1].Error(), "and 2000 problems more") {
		t.Errorf("%d problems, the last is %v", n, errs[n-1])
	}
}
