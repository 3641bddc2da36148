package onnx

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// modernise makes a file of IR version 1 or 2 one of version 3, where each says what it meant: there is one operator set, the first, and
// attributes have a type.
//
// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (enum Version).
func modernise(m *Model) {
	p := m.Proto
	if v := p.GetIrVersion(); v < 1 || v >= MinIR || len(p.GetOpsetImport()) > 0 {
		return
	}
	m.old = p.GetIrVersion()
	p.IrVersion = new(int64(MinIR))
	p.OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: new(""), Version: new(int64(1))}}
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		for _, a := range n.GetAttribute() {
			if a.GetType() == onnxpb.AttributeProto_UNDEFINED && a.GetRefAttrName() == "" {
				a.Type = new(typeOfValue(a))
			}
		}
	})
}

// typeOfValue is the type of the value that an attribute has; an empty list has none, and is one of integers.
func typeOfValue(a *onnxpb.AttributeProto) onnxpb.AttributeProto_AttributeType {
	switch {
	case a.F != nil:
		return onnxpb.AttributeProto_FLOAT
	case a.I != nil:
		return onnxpb.AttributeProto_INT
	case a.S != nil:
		return onnxpb.AttributeProto_STRING
	case a.T != nil:
		return onnxpb.AttributeProto_TENSOR
	case a.G != nil:
		return onnxpb.AttributeProto_GRAPH
	case len(a.Floats) > 0:
		return onnxpb.AttributeProto_FLOATS
	case len(a.Strings) > 0:
		return onnxpb.AttributeProto_STRINGS
	case len(a.Tensors) > 0:
		return onnxpb.AttributeProto_TENSORS
	case len(a.Graphs) > 0:
		return onnxpb.AttributeProto_GRAPHS
	}
	return onnxpb.AttributeProto_INTS
}

// oldWarning is what Warnings says of a file that modernise changed.
func (m *Model) oldWarning() string {
	return fmt.Sprintf("onnx: the model has IR version %d, from before there were operator sets: it is read as one of version %d with operator set 1",
		m.old, MinIR)
}
