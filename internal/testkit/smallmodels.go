package testkit

import (
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// SmallModels is the bytes of models of a few nodes each, with operators that change from version to version, bodies, functions and
// symbols: where fuzzing of what looks at whole models begins.
func SmallModels(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	for _, m := range []*onnxpb.ModelProto{
		smallModel(12, smallNode("Squeeze", []string{"x"}, "y", someInts("axes", 1))),
		smallModel(9, smallNode("Clip", []string{"x"}, "y", aFloat("min", 0))),
		smallModel(12, smallNode("Softmax", []string{"x"}, "y", anInt("axis", 1))),
		smallModel(6, smallNode("Add", []string{"x", "x"}, "y", anInt("broadcast", 1), anInt("axis", 0))),
		smallModel(20, smallNode("Gelu", []string{"x"}, "h"), smallNode("LayerNormalization", []string{"h", "w"}, "y")),
		smallModel(21, smallNode("GroupNormalization", []string{"x", "w", "w"}, "y", anInt("num_groups", 1))),
		smallModel(23, smallNode("Attention", []string{"x", "x", "x"}, "y", anInt("q_num_heads", 1), anInt("kv_num_heads", 1))),
		smallModel(18, smallNode("Split", []string{"x"}, "y", anInt("num_outputs", 1)), smallNode("ReduceMean", []string{"x", "axes"}, "z")),
		smallModel(10, smallNode("Resize", []string{"x", "w"}, "y"), smallNode("Slice", []string{"x", "axes", "axes"}, "z")),
		withBody(smallModel(17), "If"), withBody(smallModel(17), "Loop"), withFunction(smallModel(17, &onnxpb.NodeProto{OpType: new("F"),
			Domain: new("d"),
			Input:  []string{"x"}, Output: []string{"y"}})),
	} {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func smallModel(opset int64, nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	return &onnxpb.ModelProto{IrVersion: new(int64(8)), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: &opset}},
		Graph: &onnxpb.GraphProto{Name: new("g"), Node: nodes,
			Input:  []*onnxpb.ValueInfoProto{valueOf("x", 1, "N", "3", "4")},
			Output: []*onnxpb.ValueInfoProto{valueOf("y", 1, "N", "?", "?")},
			Initializer: []*onnxpb.TensorProto{
				{Name: new("w"), DataType: new(int32(1)), Dims: []int64{4}, FloatData: []float32{1, 2, 1, 1}},
				{Name: new("axes"), DataType: new(int32(7)), Dims: []int64{1}, Int64Data: []int64{1}},
			}}}
}

func valueOf(name string, elem int32, dims ...string) *onnxpb.ValueInfoProto {
	s := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		p := &onnxpb.TensorShapeProto_Dimension{}
		switch {
		case d == "?":
		case d[0] >= '0' && d[0] <= '9':
			p.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d[0] - '0')}
		default:
			p.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d}
		}
		s.Dim = append(s.Dim, p)
	}
	return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: &elem, Shape: s}}}}
}

func smallNode(op string, in []string, out string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: &op, Input: in, Output: []string{out}, Attribute: attrs}
}

func anInt(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: new(onnxpb.AttributeProto_INT), I: &v}
}

func aFloat(name string, v float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: new(onnxpb.AttributeProto_FLOAT), F: &v}
}

func someInts(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: new(onnxpb.AttributeProto_INTS), Ints: v}
}

// withBody adds an If or Loop that reads x and w from inside.
func withBody(m *onnxpb.ModelProto, op string) *onnxpb.ModelProto {
	g := m.Graph
	body := func(name string, in ...*onnxpb.ValueInfoProto) *onnxpb.AttributeProto {
		return &onnxpb.AttributeProto{Name: &name, Type: new(onnxpb.AttributeProto_GRAPH), G: &onnxpb.GraphProto{Name: &name, Input: in,
			Node: []*onnxpb.NodeProto{smallNode("Softmax", []string{"x"}, name+"_y"), smallNode("Identity", []string{"c"}, name+"_c")}}}
	}
	g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: new("c"), DataType: new(int32(9)), Int32Data: []int32{1}},
		&onnxpb.TensorProto{Name: new("trips"), DataType: new(int32(7)), Int64Data: []int64{2}})
	if op == "If" {
		a, b := body("then_branch"), body("else_branch")
		for _, x := range []*onnxpb.AttributeProto{a, b} {
			x.G.Output = []*onnxpb.ValueInfoProto{valueOf(x.GetName()+"_y", 1, "N", "3", "4")}
		}
		g.Node = []*onnxpb.NodeProto{smallNode("If", []string{"c"}, "y", a, b)}
		return m
	}
	a := body("body", valueOf("i", 7), valueOf("cond", 9))
	a.G.Output = []*onnxpb.ValueInfoProto{valueOf("body_c", 9), valueOf("body_y", 1, "N", "3", "4")}
	g.Node = []*onnxpb.NodeProto{smallNode("Loop", []string{"trips", "c"}, "y", a)}
	return m
}

// withFunction adds the function F, whose axes are those of its call.
func withFunction(m *onnxpb.ModelProto) *onnxpb.ModelProto {
	a := &onnxpb.AttributeProto{Name: new("axis"), Type: new(onnxpb.AttributeProto_INT), RefAttrName: new("axis")}
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("d"), Version: new(int64(1))})
	m.Functions = []*onnxpb.FunctionProto{{Name: new("F"), Domain: new("d"), Input: []string{"a"}, Output: []string{"b"},
		AttributeProto: []*onnxpb.AttributeProto{anInt("axis", 1)},
		OpsetImport:    []*onnxpb.OperatorSetIdProto{{Version: new(int64(12))}},
		Node: []*onnxpb.NodeProto{smallNode("Softmax", []string{"a"}, "s", a),
			smallNode("ReduceSum", []string{"s"}, "b", someInts("axes", 0))}}}
	return m
}
