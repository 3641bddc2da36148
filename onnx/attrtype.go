package onnx

import "github.com/gtk-onnx/gtk/onnx/onnxpb"

// AttrType is the type of a: what it says, else that of the only field that is set, as in files from before attributes had types. It is
// UNDEFINED where that does not tell.
//
// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (AttributeProto.type)
func AttrType(a *onnxpb.AttributeProto) onnxpb.AttributeProto_AttributeType {
	if t := a.GetType(); t != onnxpb.AttributeProto_UNDEFINED || a.GetRefAttrName() != "" {
		return t
	}
	found := onnxpb.AttributeProto_UNDEFINED
	for _, f := range attrFields(a) {
		if f.set && found != onnxpb.AttributeProto_UNDEFINED {
			return onnxpb.AttributeProto_UNDEFINED
		}
		if f.set {
			found = f.kind
		}
	}
	return found
}

// attrField says whether an attribute has a value of a type, or lacks the one that it needs to be of it.
type attrField struct {
	kind    onnxpb.AttributeProto_AttributeType
	set     bool
	missing bool
}

// attrFields are the fields of a that hold values, one for each type.
func attrFields(a *onnxpb.AttributeProto) []attrField {
	return []attrField{
		// A writer may leave out a zero; that is not missing.
		{onnxpb.AttributeProto_FLOAT, a.F != nil, false},
		{onnxpb.AttributeProto_INT, a.I != nil, false},
		{onnxpb.AttributeProto_STRING, a.S != nil, false},
		{onnxpb.AttributeProto_TENSOR, a.T != nil, a.T == nil},
		{onnxpb.AttributeProto_GRAPH, a.G != nil, a.G == nil},
		{onnxpb.AttributeProto_SPARSE_TENSOR, a.SparseTensor != nil, a.SparseTensor == nil},
		{onnxpb.AttributeProto_TYPE_PROTO, a.Tp != nil, a.Tp == nil},
		{onnxpb.AttributeProto_FLOATS, len(a.Floats) > 0, false},
		{onnxpb.AttributeProto_INTS, len(a.Ints) > 0, false},
		{onnxpb.AttributeProto_STRINGS, len(a.Strings) > 0, false},
		{onnxpb.AttributeProto_TENSORS, len(a.Tensors) > 0, false},
		{onnxpb.AttributeProto_GRAPHS, len(a.Graphs) > 0, false},
		{onnxpb.AttributeProto_SPARSE_TENSORS, len(a.SparseTensors) > 0, false},
		{onnxpb.AttributeProto_TYPE_PROTOS, len(a.TypeProtos) > 0, false},
	}
}
