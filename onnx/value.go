package onnx

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

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

// ReadValueFile reads a .pb file of one value of type d: TensorProto, SequenceProto, OptionalProto or MapProto. The file does not say
// which it is.
func ReadValueFile(path string, d tensor.DType) (name string, v *tensor.Tensor, err error) {
	switch d.Kind() {
	case tensor.Plain:
		return ReadTensorFile(path)
	case tensor.Sequence:
		p := &onnxpb.SequenceProto{}
		if err = readMessage(path, p); err == nil {
			name = p.GetName()
			v, err = ValueFromSequence(p, d)
		}
	case tensor.Optional:
		p := &onnxpb.OptionalProto{}
		if err = readMessage(path, p); err == nil {
			name = p.GetName()
			v, err = ValueFromOptional(p, d)
		}
	case tensor.Map:
		p := &onnxpb.MapProto{}
		if err = readMessage(path, p); err == nil {
			name = p.GetName()
			v, err = ValueFromMap(p)
		}
	}
	if err != nil {
		return "", nil, inFile(err, path)
	}
	return name, v, nil
}

func readMessage(path string, msg proto.Message) error {
	b, release, err := readAll(path, options{maxBytes: maxFile})
	if err != nil {
		return err
	}
	defer release()
	if len(b) > 0 {
		if what := notONNX(b); what != "" {
			return &FormatError{File: path, Msg: what}
		}
	}
	return inFile(decode(b, msg, memoryFor(len(b)), true), path)
}

// WriteValueFile writes one tensor, sequence, optional or map as a .pb file (TensorProto, SequenceProto, OptionalProto, MapProto); of o it
// heeds Force.
func WriteValueFile(path, name string, t *tensor.Tensor, o WriteOptions) error {
	if err := mayWrite(path, o.Force); err != nil {
		return err
	}
	b, err := MarshalValue(name, t)
	if err != nil {
		return fmt.Errorf("onnx: write %s: %w", path, err)
	}
	return writeAlone(path, b)
}

// MarshalValue is what WriteValueFile writes.
func MarshalValue(name string, t *tensor.Tensor) ([]byte, error) {
	return marshal.Marshal(valueToProto(name, t))
}

func valueToProto(name string, t *tensor.Tensor) proto.Message {
	switch t.DType().Kind() {
	case tensor.Sequence:
		return ValueToSequence(name, t)
	case tensor.Optional:
		return ValueToOptional(name, t)
	case tensor.Map:
		return ValueToMap(name, t)
	}
	return TensorToProto(name, t)
}
