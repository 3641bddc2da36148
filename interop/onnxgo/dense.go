package onnxgo

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
	dense "gorgonia.org/tensor"
)

// fromDense shares the storage of a gorgonia tensor.
func fromDense(t dense.Tensor) (*tensor.Tensor, error) {
	if t == nil {
		return nil, errors.New("has no tensor")
	}
	if d, ok := t.(*dense.Dense); ok && (d.RequiresIterator() || !d.DataOrder().IsRowMajor()) {
		t = d.Materialize()
	}
	shape := []int(t.Shape())
	switch x := t.Data().(type) {
	case []float32:
		return fill(x, shape)
	case []float64:
		return fill(x, shape)
	case []int64:
		return fill(x, shape)
	case []int32:
		return fill(x, shape)
	case []int16:
		return fill(x, shape)
	case []int8:
		return fill(x, shape)
	case []uint8:
		return fill(x, shape)
	case []uint16:
		return fill(x, shape)
	case []uint32:
		return fill(x, shape)
	case []uint64:
		return fill(x, shape)
	case []bool:
		return fill(x, shape)
	case float32:
		return tensor.Scalar(x), nil
	case float64:
		return tensor.Scalar(x), nil
	case int64:
		return tensor.Scalar(x), nil
	case int32:
		return tensor.Scalar(x), nil
	case bool:
		return tensor.Scalar(x), nil
	}
	return nil, fmt.Errorf("element type %v is not supported", t.Dtype())
}

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

func fill[T tensor.Elem](x []T, shape []int) (*tensor.Tensor, error) {
	if tensor.Shape(shape).Len() != len(x) {
		return nil, fmt.Errorf("%d elements do not fill shape %v", len(x), tensor.Shape(shape))
	}
	return tensor.From(x, shape...), nil
}

// toDense is a gorgonia tensor with a copy of t.
func toDense(t *tensor.Tensor) (dense.Tensor, error) {
	if t == nil {
		return nil, errors.New("was not computed")
	}
	t = t.Clone()
	var backing any
	switch t.DType() {
	case tensor.Float32:
		backing = tensor.Data[float32](t)
	case tensor.Float64:
		backing = tensor.Data[float64](t)
	case tensor.Int64:
		backing = tensor.Data[int64](t)
	case tensor.Int32:
		backing = tensor.Data[int32](t)
	case tensor.Uint8:
		backing = tensor.Data[uint8](t)
	case tensor.Bool:
		backing = tensor.Data[bool](t)
	default:
		return nil, fmt.Errorf("element type %v is not supported", t.DType())
	}
	if t.Rank() == 0 {
		switch x := backing.(type) {
		case []float32:
			return dense.New(dense.FromScalar(x[0])), nil
		case []float64:
			return dense.New(dense.FromScalar(x[0])), nil
		case []int64:
			return dense.New(dense.FromScalar(x[0])), nil
		}
	}
	return dense.New(dense.WithShape(t.Shape()...), dense.WithBacking(backing)), nil
}
