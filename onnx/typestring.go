package onnx

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// TypeString is a type as text, for example "float32[N,3,224,224]"; a dimension of which nothing is known is "?", a
// tensor of unknown rank has "[...]".
func TypeString(t *onnxpb.TypeProto) string {
	switch x := t.GetValue().(type) {
	case *onnxpb.TypeProto_TensorType:
		return tensor.DType(x.TensorType.GetElemType()).String() + shapeString(x.TensorType.GetShape())
	case *onnxpb.TypeProto_SparseTensorType:
		return "sparse " + tensor.DType(x.SparseTensorType.GetElemType()).String() + shapeString(x.SparseTensorType.GetShape())
	case *onnxpb.TypeProto_SequenceType:
		return "sequence(" + TypeString(x.SequenceType.GetElemType()) + ")"
	case *onnxpb.TypeProto_OptionalType:
		return "optional(" + TypeString(x.OptionalType.GetElemType()) + ")"
	case *onnxpb.TypeProto_MapType:
		return fmt.Sprintf("map(%v, %s)", tensor.DType(x.MapType.GetKeyType()), TypeString(x.MapType.GetValueType()))
	case *onnxpb.TypeProto_OpaqueType:
		return fmt.Sprintf("opaque(%s.%s)", x.OpaqueType.GetDomain(), x.OpaqueType.GetName())
	}
	return "unknown"
}

func shapeString(s *onnxpb.TensorShapeProto) string {
	if s == nil {
		return "[...]"
	}
	parts := make([]string, len(s.GetDim()))
	for i, d := range s.GetDim() {
		switch v := d.GetValue().(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			parts[i] = fmt.Sprint(v.DimValue)
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			parts[i] = v.DimParam
		default:
			parts[i] = "?"
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}
