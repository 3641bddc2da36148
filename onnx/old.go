package onnx

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// modernise makes a file of IR version 1 or 2 one of version 3: without operator sets it has the first. Up to version 3, attributes
// without a type get that of their value.
//
// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (enum Version).
func modernise(m *Model) {
	p := m.Proto
	v := p.GetIrVersion()
	if v < 1 || v > MinIR {
		return
	}
	if v < MinIR {
		m.old = v
		p.IrVersion = new(int64(MinIR))
		if len(p.GetOpsetImport()) == 0 {
			p.OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: new(""), Version: new(int64(1))}}
		}
	}
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		for _, a := range n.GetAttribute() {
			if a.GetType() == onnxpb.AttributeProto_UNDEFINED && a.GetRefAttrName() == "" {
				t := AttrType(a)
				if t == onnxpb.AttributeProto_UNDEFINED && !slices.ContainsFunc(attrFields(a), func(f attrField) bool { return f.set }) {
					t = onnxpb.AttributeProto_INTS // an empty list does not say of what
				}
				a.Type = new(t)
				m.untyped++
			}
		}
	})
}

// oldWarnings is what Warnings says of a file that modernise changed.
func (m *Model) oldWarnings() (w []string) {
	if m.old > 0 {
		w = append(w, fmt.Sprintf("onnx: the model has IR version %d, which is not used any more: it is read as one of version %d, "+
			"with operator set %d",
			m.old, MinIR, m.Opset("")))
	}
	if m.untyped > 0 {
		w = append(w, fmt.Sprintf("onnx: %d attributes have no type: that of their values is taken", m.untyped))
	}
	return w
}
