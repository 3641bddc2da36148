package typing

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
	"github.com/gtk-onnx/gtk/tensor"
)

// Outputs is the type of each output of a node, nil where it does not follow from its operator, its attributes and what its inputs are;
// errs say which inputs have types that the operator does not take.
func Outputs(op *schema.Op, n *onnxpb.NodeProto, s *Scope) (out []*onnxpb.TypeProto, errs []error) {
	bound := map[string]*onnxpb.TypeProto{}
	by := map[string]int{}
	in := make([]*onnxpb.TypeProto, len(n.GetInput()))
	for i, name := range n.GetInput() {
		f := op.Input(i)
		if name == "" || f == nil {
			continue
		}
		t := s.Lookup(name)
		in[i] = t
		got := schema.TypeName(t)
		if got == "" {
			continue
		}
		allowed, isParam := op.Types[f.Type]
		if !isParam {
			allowed = []string{f.Type}
		}
		if allowed != nil && !slices.Contains(allowed, got) {
			errs = append(errs, fmt.Errorf("input %d %q (%s) is %s, which %s of operator set %d does not take: %s", i, name, f.Name, got, op.Name,
				op.Since, list(allowed)))
			continue
		}
		if !isParam || f.Mixed {
			continue
		}
		if first := bound[f.Type]; first == nil {
			bound[f.Type], by[f.Type] = t, i
		} else if a := schema.TypeName(first); a != got {
			errs = append(errs, fmt.Errorf("inputs %d %q and %d %q are %s and %s, and must be of one type (%s)", by[f.Type],
				n.GetInput()[by[f.Type]], i, name, a, got, f.Type))
		}
	}
	out = make([]*onnxpb.TypeProto, len(n.GetOutput()))
	for i := range out {
		f := op.Output(i)
		if f == nil || f.Mixed {
			continue
		}
		allowed, isParam := op.Types[f.Type]
		switch {
		case bound[f.Type] != nil:
			out[i] = plain(bound[f.Type])
		case !isParam:
			out[i] = named(f.Type)
		case len(allowed) == 1:
			out[i] = named(allowed[0])
		}
	}
	if op.Domain == "" {
		if f := byAttribute[op.Name]; f != nil {
			if t, ok := f(attributes(n), in); ok {
				out = out[:min(1, len(out))]
				for i := range out {
					out[i] = t
				}
				out = append(out, make([]*onnxpb.TypeProto, len(n.GetOutput())-len(out))...)
			}
		}
		bodies(op, n, s, out)
		if op.Name == "LayerNormalization" {
			for i := 1; i < len(out); i++ {
				out[i], _ = attributes(n).elem("stash_type", int32(tensor.Float32))
			}
		}
	}
	return out, errs
}

func list(names []string) string {
	if len(names) > 6 {
		return fmt.Sprintf("it takes %v and %d more", names[:6], len(names)-6)
	}
	return fmt.Sprintf("it takes %v", names)
}

// named is the tensor type of a name, nil for other types.
func named(name string) *onnxpb.TypeProto {
	for v := range onnxpb.TensorProto_DataType_name {
		if schema.Element(v) == name && name != "" {
			return tensorOf(v)
		}
	}
	return nil
}

type attrsOf map[string]*onnxpb.AttributeProto

func attributes(n *onnxpb.NodeProto) attrsOf {
	a := attrsOf{}
	for _, x := range n.GetAttribute() {
		a[x.GetName()] = x
	}
	return a
}

// elem is the element type that an attribute names, given where it is left out.
func (a attrsOf) elem(name string, given int32) (t *onnxpb.TypeProto, known bool) {
	x := a[name]
	switch {
	case x == nil:
		return tensorOf(given), given != 0
	case x.GetRefAttrName() != "" || x.GetType() != onnxpb.AttributeProto_INT:
		return nil, true
	}
	return tensorOf(int32(x.GetI())), true
}

// byAttribute is the type of output 0 where the signature does not say it.
var byAttribute = map[string]func(a attrsOf, in []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool){
	"Cast":    func(a attrsOf, _ []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) { return a.elem("to", 0) },
	"BitCast": func(a attrsOf, _ []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) { return a.elem("to", 0) },
	"Constant": func(a attrsOf, _ []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
		for name, x := range a {
			switch {
			case x.GetRefAttrName() != "":
			case name == "value" && x.GetT() != nil:
				return tensorType(x.GetT()), true
			case name == "value_float":
				return Tensor(int32(tensor.Float32), []int64{}), true
			case name == "value_floats":
				return Tensor(int32(tensor.Float32), []int64{int64(len(x.GetFloats()))}), true
			case name == "value_int":
				return Tensor(int32(tensor.Int64), []int64{}), true
			case name == "value_ints":
				return Tensor(int32(tensor.Int64), []int64{int64(len(x.GetInts()))}), true
			case name == "value_string":
				return Tensor(int32(tensor.String), []int64{}), true
			case name == "value_strings":
				return Tensor(int32(tensor.String), []int64{int64(len(x.GetStrings()))}), true
			case name == "sparse_value" && x.GetSparseTensor() != nil:
				return Tensor(x.GetSparseTensor().GetValues().GetDataType(), append([]int64{}, x.GetSparseTensor().GetDims()...)), true
			}
		}
		return nil, true
	},
	"ConstantOfShape": func(a attrsOf, _ []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
		if x := a["value"]; x != nil {
			return tensorOf(x.GetT().GetDataType()), true
		}
		return tensorOf(int32(tensor.Float32)), true
	},
	"EyeLike":           dtypeOrInput,
	"Bernoulli":         dtypeOrInput,
	"RandomNormalLike":  dtypeOrInput,
	"RandomUniformLike": dtypeOrInput,
	"RandomNormal":      typeBy("dtype", tensor.Float32),
	"RandomUniform":     typeBy("dtype", tensor.Float32),
	"Multinomial":       typeBy("dtype", tensor.Int32),
	"HannWindow":        typeBy("output_datatype", tensor.Float32),
	"HammingWindow":     typeBy("output_datatype", tensor.Float32),
	"BlackmanWindow":    typeBy("output_datatype", tensor.Float32),
	"MelWeightMatrix":   typeBy("output_datatype", tensor.Float32),
	"QuantizeLinear": func(a attrsOf, in []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
		if len(in) > 2 && in[2] != nil {
			return plain(in[2]), true
		}
		if x := a["output_dtype"]; x != nil && x.GetI() != 0 {
			return a.elem("output_dtype", 0)
		}
		return tensorOf(int32(tensor.Uint8)), len(in) < 3
	},
	"DequantizeLinear": func(a attrsOf, in []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
		if x := a["output_dtype"]; x != nil && x.GetI() != 0 {
			return a.elem("output_dtype", 0)
		}
		if len(in) > 1 && in[1] != nil {
			return plain(in[1]), true
		}
		return nil, false
	},
	"SequenceEmpty": func(a attrsOf, _ []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
		t, ok := a.elem("dtype", int32(tensor.Float32))
		return SequenceOf(t), ok
	},
	"SequenceConstruct": func(_ attrsOf, in []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
		if len(in) > 0 && in[0] != nil {
			return SequenceOf(plain(in[0])), true
		}
		return nil, true
	},
	"SplitToSequence": func(_ attrsOf, in []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
		if len(in) > 0 && in[0] != nil {
			return SequenceOf(plain(in[0])), true
		}
		return nil, true
	},
	"SequenceAt":         elementOfSequence,
	"ConcatFromSequence": elementOfSequence,
	"Optional": func(a attrsOf, in []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
		if len(in) > 0 {
			return OptionalOf(plain(in[0])), true
		}
		return OptionalOf(a["type"].GetTp()), true
	},
	"OptionalGetElement": func(_ attrsOf, in []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
		if len(in) == 0 || in[0] == nil {
			return nil, true
		}
		if o := in[0].GetOptionalType(); o != nil {
			return plain(o.GetElemType()), true
		}
		return plain(in[0]), true
	},
}

func elementOfSequence(_ attrsOf, in []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
	if len(in) > 0 && in[0].GetSequenceType() != nil {
		return plain(in[0].GetSequenceType().GetElemType()), true
	}
	return nil, true
}

func typeBy(attr string, given tensor.DType) func(attrsOf, []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
	return func(a attrsOf, _ []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) { return a.elem(attr, int32(given)) }
}

func dtypeOrInput(a attrsOf, in []*onnxpb.TypeProto) (*onnxpb.TypeProto, bool) {
	if a["dtype"] != nil {
		return a.elem("dtype", 0)
	}
	if len(in) > 0 && in[0] != nil {
		return plain(in[0]), true
	}
	return nil, true
}

// bodies gives the outputs of an If the types that both of its branches declare.
func bodies(op *schema.Op, n *onnxpb.NodeProto, s *Scope, out []*onnxpb.TypeProto) {
	if op.Name != "If" {
		return
	}
	a := attributes(n)
	one, two := a["then_branch"].GetG().GetOutput(), a["else_branch"].GetG().GetOutput()
	for i := range out {
		if i >= len(one) || i >= len(two) {
			return
		}
		t, u := schema.TypeName(one[i].GetType()), schema.TypeName(two[i].GetType())
		if t != "" && t == u {
			out[i] = plain(one[i].GetType())
		}
	}
}
