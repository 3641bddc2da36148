package engine

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
)

// Contradictions are the shapes that m declares for values where other ones follow from its inputs; where the shapes of all inputs are
// declared, also the reason why none follow. Nothing is said of models that the engine does not have.
func Contradictions(m *onnx.Model, opts ...Option) (list []error) {
	bare := m.Clone()
	g := bare.Proto.GetGraph()
	g.ValueInfo = nil
	for _, v := range g.GetOutput() {
		if t := v.GetType().GetTensorType(); t != nil {
			t.Shape = nil
		}
	}
	types, err := Types(bare, opts...)
	if err != nil {
		if _, missing := errors.AsType[*UnsupportedError](err); missing || free(m) {
			return nil // shapes do not follow, or for other sizes only
		}
		return []error{fmt.Errorf("%s: the declared types and shapes do not go together: %w", m.Path, err)}
	}
	for _, vs := range [][]*onnxpb.ValueInfoProto{m.Proto.GetGraph().GetValueInfo(), m.Outputs()} {
		for _, v := range vs {
			said, found := v.GetType().GetTensorType().GetShape(), types[v.GetName()].GetTensorType().GetShape()
			if said == nil || found == nil || schema.TypeName(v.GetType()) == "" {
				continue
			}
			differ := len(said.GetDim()) != len(found.GetDim())
			for i := 0; !differ && i < len(said.GetDim()); i++ {
				a, isA := said.GetDim()[i].GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue)
				b, isB := found.GetDim()[i].GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue)
				differ = isA && isB && a.DimValue != b.DimValue
			}
			if differ {
				list = append(list, &onnx.FormatError{File: m.Path, Where: fmt.Sprintf("value %q", v.GetName()), Msg: fmt.Sprintf(
					"is declared as %s and is %s: correct it, or take it out of value_info", onnx.TypeString(v.GetType()),
					onnx.TypeString(types[v.GetName()]))})
			}
		}
	}
	return list
}

// free reports whether the inputs of m may have several shapes.
func free(m *onnx.Model) bool {
	for _, v := range m.Inputs() {
		t := v.GetType().GetTensorType()
		if t == nil || t.Shape == nil {
			return true
		}
		for _, d := range t.Shape.GetDim() {
			if _, fixed := d.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue); !fixed {
				return true
			}
		}
	}
	return false
}
