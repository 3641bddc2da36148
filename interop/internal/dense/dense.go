// Package dense turns the tensors of gorgonia and onnx-go into ours, and the reverse.
package dense

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
	T "gorgonia.org/tensor"
)

// From shares the storage of a tensor of gorgonia.
func From(t T.Tensor) (*tensor.Tensor, error) {
	if t == nil {
		return nil, errors.New("has no tensor")
	}
	if d, ok := t.(*T.Dense); ok && (d.RequiresIterator() || !d.DataOrder().IsRowMajor()) {
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

func fill[T tensor.Elem](x []T, shape []int) (*tensor.Tensor, error) {
	if tensor.Shape(shape).Len() != len(x) {
		return nil, fmt.Errorf("%d elements do not fill shape %v", len(x), tensor.Shape(shape))
	}
	return tensor.From(x, shape...), nil
}

// To is a tensor of gorgonia with a copy of t.
func To(t *tensor.Tensor) (T.Tensor, error) {
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
			return T.New(T.FromScalar(x[0])), nil
		case []float64:
			return T.New(T.FromScalar(x[0])), nil
		case []int64:
			return T.New(T.FromScalar(x[0])), nil
		}
	}
	return T.New(T.WithShape(t.Shape()...), T.WithBacking(backing)), nil
}
