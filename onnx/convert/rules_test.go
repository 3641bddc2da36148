package convert_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/convert"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

func f32(v ...float32) *tensor.Tensor { return tensor.From(v, len(v)) }
func i64(v ...int64) *tensor.Tensor   { return tensor.From(v, len(v)) }

// one is a model of one node on x [2,4,6,6] and constants.
func one(opset int64, n *onnxpb.NodeProto, consts ...tensor.Named) *onnx.Model {
	g := &onnxpb.GraphProto{Name: new("g"), Node: []*onnxpb.NodeProto{n},
		Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, 2, 4, 6, 6)}}
	for _, o := range n.GetOutput() {
		g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: new(o)})
	}
	m := onnx.NewModel(g, opset)
	for _, c := range consts {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(c.Name, c.Tensor))
	}
	return m
}

func c(name string, t *tensor.Tensor) tensor.Named { return tensor.Named{Name: name, Tensor: t} }

// TestRules takes a node of each operator that changed from its operator set to others: the results are the same, or it is refused for the
// reason given.
func TestRules(t *testing.T) {
	nd := onnx.NewNode
	x, y, xw := []string{"x"}, []string{"y"}, []string{"x", "w"}
	at, ats, af, as := onnx.AttrInt, onnx.AttrInts, onnx.AttrFloat, onnx.AttrString
	scalar := func(v float32) *tensor.Tensor { return tensor.Scalar(v) }
	bn := []string{"x", "s", "b", "m", "v"}
	bnc := []tensor.Named{c("s", f32(1, 2, 3, 4)), c("b", f32(1, 1, 2, 2)), c("m", f32(0, 1, 0, 1)), c("v", f32(1, 2, 1, 2))}
	for _, r := range []struct {
		m       *onnx.Model
		to      []int64
		refused string
	}{
		{one(9, nd("Clip", "", x, y, af("min", -0.5), af("max", 0.25))), []int64{11, 13, 21}, ""},
		{one(13, nd("Clip", "", []string{"x", "", "hi"}, y), c("hi", scalar(0.25))), []int64{6, 10, 12}, ""},
		{one(9, nd("Slice", "", x, y, ats("starts", 1, 0), ats("ends", 3, 5), ats("axes", 1, 3))), []int64{10, 13, 21}, ""},
		{one(13, nd("Slice", "", []string{"x", "a", "b"}, y), c("a", i64(0, 1)), c("b", i64(2, 3))), []int64{9, 11}, ""},
		{one(13, nd("Slice", "", []string{"x", "a", "b", "b", "s"}, y), c("a", i64(0)), c("b", i64(3)), c("s", i64(2))),
			[]int64{9}, "steps are not all 1"},
		{one(10, nd("Pad", "", x, y, ats("pads", 0, 0, 1, 1, 0, 0, 2, 2), af("value", 3))), []int64{11, 13, 21}, ""},
		{one(18, nd("Pad", "", []string{"x", "p", "", "a"}, y), c("p", i64(1, 2)), c("a", i64(-1))), []int64{13, 17, 10}, ""},
		{one(11, nd("Squeeze", "", []string{"w"}, y, ats("axes", 0)), c("w", tensor.From([]float32{1, 2}, 1, 2))), []int64{13, 21, 9}, ""},
		{one(13, nd("Unsqueeze", "", xw, y), c("w", i64(0, 5))), []int64{11, 9, 21}, ""},
		{one(11, nd("ReduceSum", "", x, y, ats("axes", 1, -1), at("keepdims", 0))), []int64{13, 18, 21, 9}, ""},
		{one(13, nd("ReduceSum", "", x, y, at("noop_with_empty_axes", 1))), []int64{11, 21}, ""},
		{one(17, nd("ReduceMean", "", x, y, ats("axes", 2, 3))), []int64{13, 18, 21}, ""},
		{one(18, nd("ReduceMax", "", xw, y), c("w", i64(-1))), []int64{13, 17, 10}, ""},
		{one(18, nd("ReduceL2", "", x, y)), []int64{13, 17}, ""},
		{one(12, nd("Softmax", "", x, y)), []int64{13, 21}, ""},
		{one(11, nd("LogSoftmax", "", x, y, at("axis", 3))), []int64{13, 21, 9}, ""},
		{one(13, nd("Softmax", "", x, y, at("axis", 1))), []int64{12, 9}, ""},
		{one(11, nd("Hardmax", "", x, y, at("axis", 2))), []int64{13}, ""},
		{one(10, nd("Dropout", "", x, y, af("ratio", 0.3))), []int64{12, 13, 7}, ""},
		{one(13, nd("Dropout", "", []string{"x", "r"}, y), c("r", scalar(0.3))), []int64{10, 7}, ""},
		{one(11, nd("Split", "", x, []string{"y", "z"}, at("axis", 1), ats("split", 1, 3))), []int64{13, 18, 21}, ""},
		{one(13, nd("Split", "", x, []string{"y", "z"}, at("axis", 1))), []int64{18, 21, 11}, ""},
		{one(18, nd("Split", "", x, []string{"y", "z", "u"}, at("axis", 1), at("num_outputs", 3)), c("w", i64(1))),
			[]int64{13, 11}, "4 cannot be cut"},
		{one(18, nd("Split", "", x, []string{"y", "z", "u", "v"}, at("axis", 2), at("num_outputs", 4)), c("w", i64(1))),
			[]int64{13}, "6 cannot be cut"},
		{one(9, nd("TopK", "", x, []string{"y", "i"}, at("k", 2))), []int64{10, 11, 21}, ""},
		{one(11, nd("TopK", "", xw, []string{"y", "i"}), c("w", i64(3))), []int64{10, 9}, ""},
		{one(11, nd("TopK", "", xw, []string{"y", "i"}, at("largest", 0)), c("w", i64(3))), []int64{10}, "largest"},
		{one(10, nd("Resize", "", xw, y), c("w", f32(1, 1, 2, 2))), []int64{11, 13, 19}, ""},
		{one(13, nd("Resize", "", []string{"x", "", "w"}, y, as("coordinate_transformation_mode", "asymmetric"), as("mode", "linear")),
			c("w", f32(1, 1, 2, 2))), []int64{11, 10, 19}, ""},
		{one(18, nd("Resize", "", []string{"x", "", "w"}, y, as("mode", "cubic")), c("w", f32(1, 1, 2, 2))), []int64{13, 11}, ""},
		{one(8, nd("BatchNormalization", "", bn, y, at("spatial", 1)), bnc...), []int64{9, 14, 21}, ""},
		{one(15, nd("BatchNormalization", "", bn, y), bnc...), []int64{14, 9, 7}, ""},
		{one(15, nd("BatchNormalization", "", bn, []string{"y", "m2", "v2"}, at("training_mode", 1)), bnc...), []int64{13}, "it trains"},
		{one(6, nd("Add", "", xw, y, at("broadcast", 1), at("axis", 1)), c("w", f32(1, 2, 3, 4))), []int64{7, 13, 21}, ""},
		{one(14, nd("Reshape", "", xw, y, at("allowzero", 0)), c("w", i64(0, -1))), []int64{13, 5}, ""},
		{one(15, nd("Shape", "", x, y, at("start", 1), at("end", -1))), []int64{13, 10}, ""},
		{one(20, nd("Gelu", "", x, y)), []int64{13, 9}, ""},
		{one(20, nd("Gelu", "", x, y, as("approximate", "tanh"))), []int64{13, 9}, ""},
		{one(17, nd("LayerNormalization", "", []string{"x", "w", "w"}, y), c("w", f32(1, 2, 3, 4, 5, 6))), []int64{13, 9}, ""},
		{one(14, nd("HardSwish", "", x, y)), []int64{13, 7}, ""},
		{one(18, nd("Mish", "", x, y)), []int64{13, 7}, ""},
		{one(18, nd("GroupNormalization", "", []string{"x", "w", "w"}, y, at("num_groups", 2)), c("w", f32(2, 3))), []int64{13, 21}, ""},
		{one(21, nd("GroupNormalization", "", []string{"x", "w", "w"}, y, at("num_groups", 2)), c("w", f32(2, 3, 4, 5))), []int64{13, 18}, ""},
		{one(12, nd("GreaterOrEqual", "", xw, y), c("w", f32(0, 1, 0, 1, 0, 1))), []int64{11}, ""},
		{one(15, nd("CastLike", "", xw, y), c("w", i64(1))), []int64{13}, ""},
		{one(9, nd("Upsample", "", xw, y), c("w", f32(1, 1, 2, 2))), []int64{10, 11, 21, 7}, ""},
		{one(12, nd("Constant", "", nil, y, onnx.AttrInts("value_ints", 1, 2))), []int64{11, 9}, ""},
		{one(17, nd("LayerNormalization", "", []string{"x", "w"}, []string{"y", "m", "d"}, at("axis", 2)),
			c("w", tensor.New(tensor.Float32, 6, 6))), []int64{13}, ""},
		{one(14, nd("Trilu", "", x, y)), []int64{13, 9}, ""},
		{one(14, nd("Trilu", "", xw, y, at("upper", 0)), c("w", tensor.Scalar(int64(-2)))), []int64{13}, ""},
		{one(14, nd("Trilu", "", x, y)), []int64{8}, "operator set 9 or newer"},
		{one(13, nd("Celu", "", x, y, af("alpha", 2))), []int64{11}, ""},
		{one(13, nd("Unsqueeze", "", []string{"x", "x"}, y)), []int64{11}, "computed or fed"},
	} {
		n := r.m.Proto.Graph.Node[0]
		for _, to := range r.to {
			name := fmt.Sprintf("%s %d to %d", n.GetOpType(), r.m.Opset(""), to)
			out, _, err := convert.To(r.m, to, convert.Options{})
			switch {
			case r.refused != "" && (err == nil || !strings.Contains(err.Error(), r.refused)):
				t.Errorf("%s: %v, want a refusal that says %q", name, err, r.refused)
				continue
			case r.refused != "":
				continue
			case err != nil:
				t.Errorf("%s: %v", name, err)
				continue
			}
			if err := out.Check(); err != nil || out.Opset("") != to {
				t.Errorf("%s: operator set %d, %v", name, out.Opset(""), err)
			}
			if got := out.Proto.Graph.Node[len(out.Proto.Graph.Node)-1]; got.GetOutput()[0] != "y" {
				t.Errorf("%s: the output is called %q", name, got.GetOutput()[0])
			}
			err = same(r.m, out, nil, 1e-5, 1e-6)
			if _, missing := errors.AsType[*engine.UnsupportedError](err); missing {
				t.Logf("%s: %v", name, err)
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestKeeps converts a model with names, metadata, documentation, a function and a body: all that is not concerned stays.
func TestKeeps(t *testing.T) {
	m := one(12, &onnxpb.NodeProto{OpType: new("F"), Domain: new("d"), Input: []string{"x"}, Output: []string{"y"}, Name: new("call"),
		DocString: new("why"), Attribute: []*onnxpb.AttributeProto{onnx.AttrInts("axes", 1)}})
	m.Proto.ProducerName, m.Proto.DocString = new("me"), new("about")
	m.SetMetadata("k", "v")
	m.Proto.OpsetImport = append(m.Proto.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("d"), Version: new(int64(1))})
	ref := onnx.AttrInts("axes")
	ref.RefAttrName = new("axes")
	m.Proto.Functions = []*onnxpb.FunctionProto{{Name: new("F"), Domain: new("d"), Input: []string{"a"},
		Output: []string{"b"}, Attribute: []string{"axes"},
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: new(int64(12))}},
		Node:        []*onnxpb.NodeProto{onnx.NewNode("ReduceSum", "sum", []string{"a"}, []string{"b"}, ref)}}}
	m.Proto.IrVersion = new(int64(8))
	m.Proto.ProtoReflect().SetUnknown([]byte{0xa2, 0x06, 0x01, 'z'}) // field 100
	out, r, err := convert.To(m, 18, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Check(); err != nil {
		t.Error(err)
	}
	f := out.Proto.Functions[0]
	if f.OpsetImport[0].GetVersion() != 18 || len(f.Node) != 2 || f.Node[1].GetName() != "sum" || len(f.Node[1].GetInput()) != 2 ||
		f.Node[0].Attribute[0].GetRefAttrName() != "axes" {
		t.Errorf("function %v", f)
	}
	n := out.Proto.Graph.Node[0]
	v, _ := out.Metadata("k")
	if n.GetName() != "call" || n.GetDocString() != "why" || v != "v" || out.Proto.GetProducerName() != "me" ||
		out.Proto.GetDocString() != "about" ||
		len(out.Proto.ProtoReflect().GetUnknown()) != 4 || out.Opset("d") != 1 {
		t.Errorf("changed: %v", out.Proto)
	}
	if len(r.Changed) != 1 || r.Changed[0] != (convert.Change{Op: "ReduceSum", Since: 13, Count: 1}) {
		t.Errorf("report %v", r.Changed)
	}
	if m.Opset("") != 12 || len(m.Proto.Functions[0].Node) != 1 {
		t.Error("the model that was converted was changed")
	}
	if err := same(m, out, nil, 1e-6, 1e-6); err != nil {
		t.Error(err)
	}
}

// TestBounds refuses what would become very large.
func TestBounds(t *testing.T) {
	g := &onnxpb.GraphProto{Name: new("g"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, 2048, 2048)}}
	for i := range 200 {
		g.Node = append(g.Node, onnx.NewNode("Trilu", "", []string{"x"}, []string{fmt.Sprint("y", i)}))
	}
	_, _, err := convert.To(onnx.NewModel(g, 14), 13, convert.Options{})
	if err == nil || !strings.Contains(err.Error(), "256 MiB of constants") {
		t.Error(err)
	}
}
