package schema

import (
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// TypeName is a type as the tables write it: float for a tensor of float32, seq(tensor(float)) for a sequence of those; "" when not known.
func TypeName(t *onnxpb.TypeProto) string {
	switch x := t.GetValue().(type) {
	case *onnxpb.TypeProto_TensorType:
		return Element(x.TensorType.GetElemType())
	case *onnxpb.TypeProto_SparseTensorType:
		return around("sparse_tensor(", Element(x.SparseTensorType.GetElemType()))
	case *onnxpb.TypeProto_SequenceType:
		return around("seq(", inner(x.SequenceType.GetElemType()))
	case *onnxpb.TypeProto_OptionalType:
		return around("optional(", inner(x.OptionalType.GetElemType()))
	case *onnxpb.TypeProto_MapType:
		k, v := Element(x.MapType.GetKeyType()), TypeName(x.MapType.GetValueType())
		if k == "" || v == "" {
			return ""
		}
		return "map(" + k + "," + v + ")"
	}
	return ""
}

// Element is the name of an element type, "" when there is none of that number.
func Element(t int32) string {
	if t == 0 || onnxpb.TensorProto_DataType_name[t] == "" {
		return ""
	}
	return strings.ToLower(onnxpb.TensorProto_DataType_name[t])
}

func inner(t *onnxpb.TypeProto) string {
	name := TypeName(t)
	if t.GetTensorType() != nil && name != "" {
		return "tensor(" + name + ")"
	}
	return name
}

func around(what, inner string) string {
	if inner == "" {
		return ""
	}
	return what + inner + ")"
}
