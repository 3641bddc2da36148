package onnxgo

import (
	"bytes"
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
	dense "gorgonia.org/tensor"
)

// types are the element types that onnx-go's decoder knows.
var types = map[dense.Dtype]tensor.DType{
	dense.Float32: tensor.Float32, dense.Float64: tensor.Float64, dense.Int64: tensor.Int64, dense.Int32: tensor.Int32,
	dense.Int16: tensor.Int16, dense.Int8: tensor.Int8, dense.Uint8: tensor.Uint8, dense.Uint16: tensor.Uint16,
	dense.Uint32: tensor.Uint32, dense.Uint64: tensor.Uint64, dense.Bool: tensor.Bool,
}

// exactly is t with elements of type d. What would not be the same number afterwards is an error.
func exactly(t *tensor.Tensor, d dense.Dtype) (*tensor.Tensor, error) {
	to, ok := types[d]
	if !ok {
		return nil, fmt.Errorf("element type %v is not supported", d)
	}
	fail := fmt.Errorf("is %v, the model declares %v: give it that type", t.DType(), to)
	if t.DType() == tensor.Bool || to == tensor.Bool {
		return nil, fail
	}
	out, err := t.Convert(to)
	if err != nil {
		return nil, err
	}
	back, err := out.Convert(t.DType())
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(back.Bytes(), t.Bytes()) {
		return nil, fail
	}
	return out, nil
}
