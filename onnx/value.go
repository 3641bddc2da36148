package onnx

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// A Value is what a graph takes and gives: a *tensor.Tensor, Sequence, Optional or Map.
type Value any

// Sequence is a list of values of one type.
type Sequence []Value

// Optional is a value or nil.
type Optional struct{ Value Value }

// Map has one value for each of its keys, a tensor [N] of integers or strings.
type Map struct {
	Keys   *tensor.Tensor
	Values Sequence
}

// ReadTensorFile reads a .pb file of one tensor (TensorProto) and its name.
func ReadTensorFile(path string) (name string, t *tensor.Tensor, err error) {
	p := &onnxpb.TensorProto{}
	if err := readMessage(path, p); err != nil {
		return "", nil, err
	}
	t, err = TensorFromProto(p)
	if err != nil {
		return "", nil, inFile(err, path)
	}
	return p.GetName(), t, nil
}

// ReadValueFile reads a .pb file of one value of the given type: TensorProto, SparseTensorProto (made dense),
// SequenceProto, OptionalProto or MapProto. The file does not say which it is.
func ReadValueFile(path string, typ *onnxpb.TypeProto) (name string, v Value, err error) {
	switch typ.GetValue().(type) {
	case nil, *onnxpb.TypeProto_TensorType:
		return ReadTensorFile(path)
	case *onnxpb.TypeProto_SparseTensorType:
		p := &onnxpb.SparseTensorProto{}
		if err = readMessage(path, p); err == nil {
			name = p.GetValues().GetName()
			v, err = (&Model{}).SparseTensor(p)
		}
	case *onnxpb.TypeProto_SequenceType:
		p := &onnxpb.SequenceProto{}
		if err = readMessage(path, p); err == nil {
			name = p.GetName()
			v, err = ValueFromSequence(p)
		}
	case *onnxpb.TypeProto_OptionalType:
		p := &onnxpb.OptionalProto{}
		if err = readMessage(path, p); err == nil {
			name = p.GetName()
			v, err = ValueFromOptional(p)
		}
	case *onnxpb.TypeProto_MapType:
		p := &onnxpb.MapProto{}
		if err = readMessage(path, p); err == nil {
			name = p.GetName()
			v, err = ValueFromMap(p)
		}
	default:
		err = &UnsupportedError{Feature: fmt.Sprintf("a value of type %T", typ.GetValue())}
	}
	if err != nil {
		return "", nil, inFile(err, path)
	}
	return name, v, nil
}

func readMessage(path string, msg proto.Message) error {
	b, held, err := readAll(path, options{maxBytes: maxFile})
	if err != nil {
		return err
	}
	defer held.Release()
	if len(b) > 0 {
		if what := notONNX(b); what != "" {
			return &FormatError{File: path, Msg: what}
		}
	}
	return inFile(decode(b, msg, memoryFor(len(b))), path)
}

// ValueFromSequence is the list of values of a sequence.
func ValueFromSequence(p *onnxpb.SequenceProto) (Sequence, error) {
	out := Sequence{}
	add := func(i int, v Value, err error) error {
		if err != nil {
			return at(err, fmt.Sprintf("sequence %q: element %d", p.GetName(), i))
		}
		out = append(out, v)
		return nil
	}
	var err error
	switch k := onnxpb.SequenceProto_DataType(p.GetElemType()); k {
	case onnxpb.SequenceProto_TENSOR:
		for i, t := range p.GetTensorValues() {
			v, e := TensorFromProto(t)
			if err = add(i, v, e); err != nil {
				break
			}
		}
	case onnxpb.SequenceProto_SPARSE_TENSOR:
		for i, t := range p.GetSparseTensorValues() {
			v, e := (&Model{}).SparseTensor(t)
			if err = add(i, v, e); err != nil {
				break
			}
		}
	case onnxpb.SequenceProto_SEQUENCE:
		for i, t := range p.GetSequenceValues() {
			v, e := ValueFromSequence(t)
			if err = add(i, v, e); err != nil {
				break
			}
		}
	case onnxpb.SequenceProto_MAP:
		for i, t := range p.GetMapValues() {
			v, e := ValueFromMap(t)
			if err = add(i, v, e); err != nil {
				break
			}
		}
	case onnxpb.SequenceProto_OPTIONAL:
		for i, t := range p.GetOptionalValues() {
			v, e := ValueFromOptional(t)
			if err = add(i, v, e); err != nil {
				break
			}
		}
	default:
		err = &FormatError{Where: fmt.Sprintf("sequence %q", p.GetName()), Msg: fmt.Sprintf("element kind %d does not exist", k)}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ValueFromOptional is the value of an optional, which may be none.
func ValueFromOptional(p *onnxpb.OptionalProto) (Optional, error) {
	var v Value
	var err error
	missing := false
	switch k := onnxpb.OptionalProto_DataType(p.GetElemType()); k {
	case onnxpb.OptionalProto_UNDEFINED:
		return Optional{}, nil
	case onnxpb.OptionalProto_TENSOR:
		if missing = p.TensorValue == nil; !missing {
			v, err = TensorFromProto(p.TensorValue)
		}
	case onnxpb.OptionalProto_SPARSE_TENSOR:
		if missing = p.SparseTensorValue == nil; !missing {
			v, err = (&Model{}).SparseTensor(p.SparseTensorValue)
		}
	case onnxpb.OptionalProto_SEQUENCE:
		if missing = p.SequenceValue == nil; !missing {
			v, err = ValueFromSequence(p.SequenceValue)
		}
	case onnxpb.OptionalProto_MAP:
		if missing = p.MapValue == nil; !missing {
			v, err = ValueFromMap(p.MapValue)
		}
	case onnxpb.OptionalProto_OPTIONAL:
		if missing = p.OptionalValue == nil; !missing {
			v, err = ValueFromOptional(p.OptionalValue)
		}
	default:
		err = &FormatError{Msg: fmt.Sprintf("element kind %d does not exist", k)}
	}
	if err != nil {
		return Optional{}, at(err, fmt.Sprintf("optional %q", p.GetName()))
	}
	if missing { // a kind without a value is the empty optional of that type
		return Optional{}, nil
	}
	return Optional{v}, nil
}

// ValueFromMap is the keys and values of a map.
func ValueFromMap(p *onnxpb.MapProto) (Map, error) {
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
			return Map{}, &FormatError{Where: where, Msg: err.Error()}
		}
	default:
		return Map{}, &FormatError{Where: where, Msg: fmt.Sprintf("keys of type %v", d)}
	}
	vals, err := ValueFromSequence(p.GetValues())
	if err != nil {
		return Map{}, at(err, where)
	}
	if len(vals) != keys.Len() {
		return Map{}, &FormatError{Where: where, Msg: fmt.Sprintf("%d keys and %d values", keys.Len(), len(vals))}
	}
	return Map{keys, vals}, nil
}

// WriteTensorFile writes one tensor as a .pb file (TensorProto); of o it heeds Force.
func WriteTensorFile(path, name string, t *tensor.Tensor, o WriteOptions) error {
	if err := mayWrite(path, o.Force); err != nil {
		return err
	}
	b, err := marshal.Marshal(TensorToProto(name, t))
	if err != nil {
		return fmt.Errorf("onnx: write %s: %w", path, err)
	}
	return writeAlone(path, b)
}
