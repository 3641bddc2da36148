// Package typing knows the types of the values of an ONNX graph: those that the file declares, and element types that follow from the
// signatures of the operators.
package typing

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
	"github.com/gtk-onnx/gtk/tensor"
)

// Scope is what is known of the values that one graph or function has, and where the names of the graphs around it are.
type Scope struct {
	Outer *Scope
	Of    map[string]*onnxpb.TypeProto // with a shape where one is declared
}

// Lookup is the type of a value, from the inside out; nil when it is not known.
func (s *Scope) Lookup(name string) *onnxpb.TypeProto {
	for ; s != nil; s = s.Outer {
		if t, ok := s.Of[name]; ok {
			return t
		}
	}
	return nil
}

// DType is the element type of a tensor, Undefined when it is not known.
func (s *Scope) DType(name string) tensor.DType {
	return tensor.DType(s.Lookup(name).GetTensorType().GetElemType())
}

// Shape is the declared shape of a tensor, -1 for what is not a number; known is whether its rank is.
func (s *Scope) Shape(name string) (dims []int64, known bool) {
	sh := s.Lookup(name).GetTensorType().GetShape()
	if sh == nil {
		return nil, false
	}
	dims = []int64{}
	for _, d := range sh.GetDim() {
		if v, ok := d.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue); ok {
			dims = append(dims, v.DimValue)
		} else {
			dims = append(dims, -1)
		}
	}
	return dims, true
}

// Set notes the type of a value, unless one with a shape is there.
func (s *Scope) Set(name string, t *onnxpb.TypeProto) {
	if old := s.Of[name]; name != "" && t != nil && (old == nil || old.GetTensorType() != nil && old.GetTensorType().GetShape() == nil) {
		s.Of[name] = t
	}
}

// Declared is the scope of g with what the file says: inputs, initializers, value_info and outputs.
func Declared(g *onnxpb.GraphProto, outer *Scope) *Scope {
	s := &Scope{outer, map[string]*onnxpb.TypeProto{}}
	for _, t := range g.GetInitializer() {
		s.Set(t.GetName(), tensorType(t))
	}
	for _, t := range g.GetSparseInitializer() {
		s.Set(t.GetValues().GetName(), Tensor(t.GetValues().GetDataType(), t.GetDims()))
	}
	for _, v := range slices.Concat(g.GetInput(), g.GetValueInfo(), g.GetOutput()) {
		if schema.TypeName(v.GetType()) != "" {
			s.Set(v.GetName(), v.GetType())
		}
	}
	return s
}

// Nodes adds what follows for the outputs of nodes, in their order. report gets what does not fit: operators whose inputs have types that
// they do not take, and outputs that are declared as what they cannot be; nil wants none of it. Calls of functions, in calls, are left out.
func Nodes(nodes []*onnxpb.NodeProto, s *Scope, opset func(domain string) int64, calls func(*onnxpb.NodeProto) bool,
	report func(*onnxpb.NodeProto, error)) {
	for _, n := range nodes {
		if calls != nil && calls(n) {
			continue
		}
		op, _ := schema.Find(n.GetDomain(), n.GetOpType(), opset(n.GetDomain()))
		if op == nil || op.Unknown {
			continue
		}
		types, errs := Outputs(op, n, s)
		for i, t := range types {
			name := n.GetOutput()[i]
			if t == nil || name == "" {
				continue
			}
			if old := s.Of[name]; old != nil {
				if a, b := schema.TypeName(old), schema.TypeName(t); a != "" && b != "" && a != b {
					errs = append(errs, fmt.Errorf("output %d %q is declared as %s and is %s", i, name, a, b))
				}
				continue
			}
			s.Of[name] = t
		}
		if report != nil {
			for _, err := range errs {
				report(n, err)
			}
		}
	}
}

// Tensor is the type of a tensor.
func Tensor(elem int32, dims []int64) *onnxpb.TypeProto {
	t := &onnxpb.TypeProto_Tensor{ElemType: &elem}
	if dims != nil {
		t.Shape = &onnxpb.TensorShapeProto{}
		for _, d := range dims {
			t.Shape.Dim = append(t.Shape.Dim,
				&onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
		}
	}
	return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: t}}
}

// tensorType is the type of a stored tensor, with its shape.
func tensorType(t *onnxpb.TensorProto) *onnxpb.TypeProto {
	return Tensor(t.GetDataType(), append([]int64{}, t.GetDims()...))
}

// tensorOf is a tensor of an element type, nil for none.
func tensorOf(elem int32) *onnxpb.TypeProto {
	if schema.Element(elem) == "" {
		return nil
	}
	return Tensor(elem, nil)
}

// plain is t without its shape, since only the element type carries over from an input to an output.
func plain(t *onnxpb.TypeProto) *onnxpb.TypeProto {
	switch x := t.GetValue().(type) {
	case *onnxpb.TypeProto_TensorType:
		return tensorOf(x.TensorType.GetElemType())
	case *onnxpb.TypeProto_SequenceType:
		return SequenceOf(plain(x.SequenceType.GetElemType()))
	case *onnxpb.TypeProto_OptionalType:
		return OptionalOf(plain(x.OptionalType.GetElemType()))
	}
	return t
}

// SequenceOf is a sequence of values of a type, nil for nil.
func SequenceOf(t *onnxpb.TypeProto) *onnxpb.TypeProto {
	if t == nil {
		return nil
	}
	return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: t}}}
}

// OptionalOf is an optional of a type, nil for nil.
func OptionalOf(t *onnxpb.TypeProto) *onnxpb.TypeProto {
	if t == nil {
		return nil
	}
	return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OptionalType{OptionalType: &onnxpb.TypeProto_Optional{ElemType: t}}}
}
