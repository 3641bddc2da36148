package onnx

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// NewModel is a model of one graph for operator set opset of the default domain.
func NewModel(g *onnxpb.GraphProto, opset int64) *Model {
	return &Model{Proto: &onnxpb.ModelProto{
		IrVersion:    new(irFor(opset)),
		ProducerName: new("gtk"),
		Graph:        g,
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: new(""), Version: &opset}},
	}}
}

// irFor is the IR version that came out with an operator set, so that readers of that age accept the model; at least 4,
// from which on initializers need not be inputs.
//
// Source: https://github.com/onnx/onnx/blob/main/docs/Versioning.md (released versions).
func irFor(opset int64) int64 {
	for _, v := range []struct{ opset, ir int64 }{{9, 4}, {10, 5}, {11, 6}, {14, 7}, {18, 8}, {20, 9}, {22, 10}, {23, 11}, {24, 12}} {
		if opset <= v.opset {
			return v.ir
		}
	}
	return MaxIR
}

// NewNode is a node of the default domain. An empty input or output name leaves an argument out.
func NewNode(op, name string, ins, outs []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	n := &onnxpb.NodeProto{OpType: &op, Input: ins, Output: outs, Attribute: attrs}
	if name != "" {
		n.Name = &name
	}
	return n
}

// ValueInfo is a tensor value with its type. A dimension is an int or int64, or a string for a symbol ("" for a
// dimension of which nothing is known). It panics for any other kind of dimension.
func ValueInfo(name string, d tensor.DType, dims ...any) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, v := range dims {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		switch v := v.(type) {
		case int:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(v)}
		case int64:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: v}
		case string:
			if v != "" {
				dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: v}
			}
		default:
			panic(fmt.Sprintf("onnx: ValueInfo: a dimension is an int or a string, not %T", v))
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(int32(d)), Shape: shape},
	}}}
}

func attr(name string, t onnxpb.AttributeProto_AttributeType) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: &t}
}

// AttrInt is an attribute of one integer.
func AttrInt(name string, v int64) *onnxpb.AttributeProto {
	a := attr(name, onnxpb.AttributeProto_INT)
	a.I = &v
	return a
}

// AttrInts is an attribute of a list of integers.
func AttrInts(name string, v ...int64) *onnxpb.AttributeProto {
	a := attr(name, onnxpb.AttributeProto_INTS)
	a.Ints = v
	return a
}

// AttrFloat is an attribute of one number.
func AttrFloat(name string, v float32) *onnxpb.AttributeProto {
	a := attr(name, onnxpb.AttributeProto_FLOAT)
	a.F = &v
	return a
}

// AttrFloats is an attribute of a list of numbers.
func AttrFloats(name string, v ...float32) *onnxpb.AttributeProto {
	a := attr(name, onnxpb.AttributeProto_FLOATS)
	a.Floats = v
	return a
}

// AttrString is an attribute of one string.
func AttrString(name, v string) *onnxpb.AttributeProto {
	a := attr(name, onnxpb.AttributeProto_STRING)
	a.S = []byte(v)
	return a
}

// AttrStrings is an attribute of a list of strings.
func AttrStrings(name string, v ...string) *onnxpb.AttributeProto {
	a := attr(name, onnxpb.AttributeProto_STRINGS)
	for _, s := range v {
		a.Strings = append(a.Strings, []byte(s))
	}
	return a
}

// AttrTensor is an attribute of one tensor, which is copied.
func AttrTensor(name string, v *tensor.Tensor) *onnxpb.AttributeProto {
	a := attr(name, onnxpb.AttributeProto_TENSOR)
	a.T = TensorToProto("", v)
	return a
}

// AttrTypeProto is an attribute that is the type d.
func AttrTypeProto(name string, d tensor.DType) *onnxpb.AttributeProto {
	a := attr(name, onnxpb.AttributeProto_TYPE_PROTO)
	a.Tp = TypeOf(d)
	return a
}

// AttrGraph is an attribute of one subgraph.
func AttrGraph(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	a := attr(name, onnxpb.AttributeProto_GRAPH)
	a.G = g
	return a
}
