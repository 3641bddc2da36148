package onnx

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// DTypeOf is the type that t declares: the element type of a tensor, or of a container what it contains. A sparse tensor has the type of
// its dense form; a type that is not said is Undefined.
func DTypeOf(t *onnxpb.TypeProto) (tensor.DType, error) {
	return dtypeOf(t, 0)
}

// TypeOf is the declaration of type d, the inverse of DTypeOf; a tensor is without a shape.
func TypeOf(d tensor.DType) *onnxpb.TypeProto {
	switch d.Kind() {
	case tensor.Sequence:
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: TypeOf(d.Inner())}}}
	case tensor.Optional:
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OptionalType{OptionalType: &onnxpb.TypeProto_Optional{ElemType: TypeOf(d.Inner())}}}
	case tensor.Map:
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_MapType{MapType: &onnxpb.TypeProto_Map{KeyType: new(int32(d.Key())),
			ValueType: TypeOf(d.Inner())}}}
	}
	return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(int32(d))}}}
}

// deepest bounds how deep types and values may nest.
const deepest = 8

func dtypeOf(t *onnxpb.TypeProto, depth int) (tensor.DType, error) {
	var of tensor.DType
	var err error
	if depth > deepest {
		return 0, &UnsupportedError{Feature: "a type that nests deeper than ONNX's operators"}
	}
	switch x := t.GetValue().(type) {
	case nil:
		return tensor.Undefined, nil
	case *onnxpb.TypeProto_TensorType:
		return elementType(x.TensorType.GetElemType())
	case *onnxpb.TypeProto_SparseTensorType:
		return elementType(x.SparseTensorType.GetElemType())
	case *onnxpb.TypeProto_SequenceType:
		if of, err = dtypeOf(x.SequenceType.GetElemType(), depth+1); err == nil {
			of = tensor.SequenceOf(of)
		}
	case *onnxpb.TypeProto_OptionalType:
		if of, err = dtypeOf(x.OptionalType.GetElemType(), depth+1); err == nil {
			of = tensor.OptionalOf(of)
		}
	case *onnxpb.TypeProto_MapType:
		if of, err = dtypeOf(x.MapType.GetValueType(), depth+1); err == nil {
			of = tensor.MapOf(tensor.DType(x.MapType.GetKeyType()), of)
		}
	default:
		return 0, &UnsupportedError{Feature: fmt.Sprintf("a value of type %T", t.GetValue())}
	}
	if err == nil && of == tensor.Undefined {
		err = &UnsupportedError{Feature: "a container of values of a type that no operator of ONNX has"}
	}
	return of, err
}

func elementType(d int32) (tensor.DType, error) {
	if t := tensor.DType(d); t.Valid() {
		return t, nil
	}
	return 0, &FormatError{Msg: fmt.Sprintf("element type %d does not exist", d)}
}

// ValueFromSequence is the sequence, of type d.
func ValueFromSequence(p *onnxpb.SequenceProto, d tensor.DType) (*tensor.Tensor, error) {
	where := fmt.Sprintf("sequence %q", p.GetName())
	var items []*tensor.Tensor
	add := func(v *tensor.Tensor, err error) error {
		if err != nil {
			return at(err, fmt.Sprintf("%s: element %d", where, len(items)))
		}
		items = append(items, v)
		return nil
	}
	var err error
	switch k := onnxpb.SequenceProto_DataType(p.GetElemType()); k {
	case onnxpb.SequenceProto_UNDEFINED: // of an empty one
	case onnxpb.SequenceProto_TENSOR:
		for i := 0; i < len(p.GetTensorValues()) && err == nil; i++ {
			err = add(TensorFromProto(p.GetTensorValues()[i]))
		}
	case onnxpb.SequenceProto_SPARSE_TENSOR:
		for i := 0; i < len(p.GetSparseTensorValues()) && err == nil; i++ {
			err = add((&Model{}).SparseTensor(p.GetSparseTensorValues()[i]))
		}
	case onnxpb.SequenceProto_SEQUENCE:
		for i := 0; i < len(p.GetSequenceValues()) && err == nil; i++ {
			err = add(ValueFromSequence(p.GetSequenceValues()[i], d.Inner()))
		}
	case onnxpb.SequenceProto_MAP:
		for i := 0; i < len(p.GetMapValues()) && err == nil; i++ {
			err = add(ValueFromMap(p.GetMapValues()[i]))
		}
	case onnxpb.SequenceProto_OPTIONAL:
		for i := 0; i < len(p.GetOptionalValues()) && err == nil; i++ {
			err = add(ValueFromOptional(p.GetOptionalValues()[i], d.Inner()))
		}
	default:
		err = &FormatError{Where: where, Msg: fmt.Sprintf("element kind %d does not exist", k)}
	}
	if err != nil {
		return nil, err
	}
	s, err := tensor.NewSequence(d.Inner(), items...)
	if err != nil {
		return nil, &FormatError{Where: where, Msg: err.Error()}
	}
	return s, nil
}

// ValueFromOptional is the optional, of type d, which may be none.
func ValueFromOptional(p *onnxpb.OptionalProto, d tensor.DType) (*tensor.Tensor, error) {
	where := fmt.Sprintf("optional %q", p.GetName())
	var v *tensor.Tensor
	var err error
	switch k := onnxpb.OptionalProto_DataType(p.GetElemType()); k { // a kind without a value is the empty optional of that type
	case onnxpb.OptionalProto_UNDEFINED:
	case onnxpb.OptionalProto_TENSOR:
		if p.TensorValue != nil {
			v, err = TensorFromProto(p.TensorValue)
		}
	case onnxpb.OptionalProto_SPARSE_TENSOR:
		if p.SparseTensorValue != nil {
			v, err = (&Model{}).SparseTensor(p.SparseTensorValue)
		}
	case onnxpb.OptionalProto_SEQUENCE:
		if p.SequenceValue != nil {
			v, err = ValueFromSequence(p.SequenceValue, d.Inner())
		}
	case onnxpb.OptionalProto_MAP:
		if p.MapValue != nil {
			v, err = ValueFromMap(p.MapValue)
		}
	case onnxpb.OptionalProto_OPTIONAL:
		if p.OptionalValue != nil {
			v, err = ValueFromOptional(p.OptionalValue, d.Inner())
		}
	default:
		err = &FormatError{Msg: fmt.Sprintf("element kind %d does not exist", k)}
	}
	if err != nil {
		return nil, at(err, where)
	}
	o, err := tensor.NewOptional(d.Inner(), v)
	if err != nil {
		return nil, &FormatError{Where: where, Msg: err.Error()}
	}
	return o, nil
}

// ValueFromMap is the map, whose values are single elements of one type.
func ValueFromMap(p *onnxpb.MapProto) (*tensor.Tensor, error) {
	where := fmt.Sprintf("map %q", p.GetName())
	d := tensor.DType(p.GetKeyType())
	var keys *tensor.Tensor
	switch {
	case d == tensor.String:
		s := make([]string, len(p.GetStringKeys()))
		for i, k := range p.GetStringKeys() {
			s[i] = string(k)
		}
		keys = tensor.FromStrings(s, len(s))
	case d.IsInt() && d.Bits() >= 8:
		var err error
		if keys, err = tensor.From(p.GetKeys(), len(p.GetKeys())).Convert(d); err != nil {
			return nil, &FormatError{Where: where, Msg: err.Error()}
		}
	default:
		return nil, &FormatError{Where: where, Msg: fmt.Sprintf("keys of type %v", d)}
	}
	list := p.GetValues().GetTensorValues()
	if len(list) != keys.Len() {
		return nil, &FormatError{Where: where, Msg: fmt.Sprintf("%d keys and %d values", keys.Len(), len(list))}
	}
	of := tensor.Float32
	if len(list) > 0 {
		of = tensor.DType(list[0].GetDataType())
	}
	if !of.Valid() || of.Bits()%8 != 0 {
		return nil, &FormatError{Where: where, Msg: fmt.Sprintf("values of type %v", of)}
	}
	values := tensor.New(of, len(list))
	for i, tp := range list {
		x, err := TensorFromProto(tp)
		if err != nil {
			return nil, at(err, where)
		}
		if x.DType() != of || x.Len() != 1 {
			return nil, &FormatError{Where: where, Msg: fmt.Sprintf("value %d is %v, want one element of type %v", i, x, of)}
		}
		size := of.Size(1)
		copy(values.Bytes()[i*size:], x.Bytes())
		copy(values.Strings()[min(i, len(values.Strings())):], x.Strings())
	}
	m, err := tensor.NewMap(keys, values)
	if err != nil {
		return nil, &FormatError{Where: where, Msg: err.Error()}
	}
	return m, nil
}

// ValueToSequence is the inverse of ValueFromSequence.
func ValueToSequence(name string, t *tensor.Tensor) *onnxpb.SequenceProto {
	p := &onnxpb.SequenceProto{Name: &name}
	kind := func(k onnxpb.SequenceProto_DataType) { p.ElemType = new(int32(k)) }
	switch t.DType().Inner().Kind() {
	case tensor.Plain:
		kind(onnxpb.SequenceProto_TENSOR)
		for _, x := range t.Items() {
			p.TensorValues = append(p.TensorValues, TensorToProto("", x))
		}
	case tensor.Sequence:
		kind(onnxpb.SequenceProto_SEQUENCE)
		for _, x := range t.Items() {
			p.SequenceValues = append(p.SequenceValues, ValueToSequence("", x))
		}
	case tensor.Map:
		kind(onnxpb.SequenceProto_MAP)
		for _, x := range t.Items() {
			p.MapValues = append(p.MapValues, ValueToMap("", x))
		}
	case tensor.Optional:
		kind(onnxpb.SequenceProto_OPTIONAL)
		for _, x := range t.Items() {
			p.OptionalValues = append(p.OptionalValues, ValueToOptional("", x))
		}
	}
	return p
}

// ValueToOptional is the inverse of ValueFromOptional.
func ValueToOptional(name string, t *tensor.Tensor) *onnxpb.OptionalProto {
	p := &onnxpb.OptionalProto{Name: &name, ElemType: new(int32(onnxpb.OptionalProto_UNDEFINED))}
	kind := func(k onnxpb.OptionalProto_DataType) { p.ElemType = new(int32(k)) }
	for _, x := range t.Items() {
		switch t.DType().Inner().Kind() {
		case tensor.Plain:
			kind(onnxpb.OptionalProto_TENSOR)
			p.TensorValue = TensorToProto("", x)
		case tensor.Sequence:
			kind(onnxpb.OptionalProto_SEQUENCE)
			p.SequenceValue = ValueToSequence("", x)
		case tensor.Map:
			kind(onnxpb.OptionalProto_MAP)
			p.MapValue = ValueToMap("", x)
		case tensor.Optional:
			kind(onnxpb.OptionalProto_OPTIONAL)
			p.OptionalValue = ValueToOptional("", x)
		}
	}
	return p
}

// ValueToMap is the inverse of ValueFromMap.
func ValueToMap(name string, t *tensor.Tensor) *onnxpb.MapProto {
	keys, values := t.Items()[0], t.Items()[1]
	p := &onnxpb.MapProto{Name: &name, KeyType: new(int32(keys.DType())),
		Values: &onnxpb.SequenceProto{ElemType: new(int32(onnxpb.SequenceProto_TENSOR))}}
	if keys.DType() == tensor.String {
		for _, s := range keys.Strings() {
			p.StringKeys = append(p.StringKeys, []byte(s))
		}
	} else if ints, err := keys.Convert(tensor.Int64); err == nil {
		p.Keys = ints.I64()
	}
	size := values.DType().Size(1)
	for i := range values.Len() {
		var one *tensor.Tensor
		if values.DType() == tensor.String {
			one = tensor.FromStrings(values.Strings()[i : i+1])
		} else {
			one = tensor.New(values.DType())
			copy(one.Bytes(), values.Bytes()[i*size:])
		}
		p.Values.TensorValues = append(p.Values.TensorValues, TensorToProto("", one))
	}
	return p
}
