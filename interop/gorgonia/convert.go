package gorgonia

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	"github.com/gtk-onnx/gtk/tensor"
)

// dtypes are the element types of what goes in and out of a gtk model as an operator.
var dtypes = map[tensor.DType]T.Dtype{
	tensor.Float32: T.Float32, tensor.Float64: T.Float64, tensor.Int64: T.Int64, tensor.Int32: T.Int32, tensor.Bool: T.Bool,
	tensor.Uint8: T.Byte,
}

// dtypeOf is the floating-point type of gorgonia for d.
func dtypeOf(d tensor.DType) (T.Dtype, error) {
	if d != tensor.Float32 && d != tensor.Float64 {
		return T.Dtype{}, fmt.Errorf("%v; only float32 and float64 have gradients in gorgonia", d)
	}
	return dtypes[d], nil
}

// fed is v as a tensor: its memory, or a copy where it is a view that is not contiguous.
func fed(v G.Value) (*tensor.Tensor, error) {
	if d, ok := v.(*T.Dense); ok && d != nil && !plain(d) && d.IsMaterializable() {
		v, _ = d.Materialize().(*T.Dense)
	}
	switch x := v.(type) {
	case *G.F32:
		return tensor.Scalar(float32(*x)), nil
	case *G.F64:
		return tensor.Scalar(float64(*x)), nil
	case *G.I64:
		return tensor.Scalar(int64(*x)), nil
	case *G.I32:
		return tensor.Scalar(int32(*x)), nil
	case *G.B:
		return tensor.Scalar(bool(*x)), nil
	case *G.U8:
		return tensor.Scalar(uint8(*x)), nil
	case *T.Dense:
		if x == nil {
			break
		}
		shape := []int(x.Shape())
		switch d := x.Data().(type) {
		case []int64:
			return elements(d, shape)
		case []int32:
			return elements(d, shape)
		case []bool:
			return elements(d, shape)
		case []uint8:
			return elements(d, shape)
		}
	}
	return view(v)
}

func elements[E tensor.Elem](data []E, shape []int) (*tensor.Tensor, error) {
	if n, err := tensor.Shape(shape).CheckedLen(tensor.DTypeOf[E]()); err != nil || n != len(data) {
		return nil, fmt.Errorf("%d elements do not fill shape %v", len(data), shape)
	}
	return tensor.From(data, shape...), nil
}

// value is a copy of t, float32 or float64, as a value of gorgonia.
func value(t *tensor.Tensor, shape T.Shape) G.Value {
	t = t.Clone()
	if len(shape) > 0 {
		d := denseOf(t)
		if err := d.Reshape(shape...); err != nil {
			panic(err) // both are shapes of the same value
		}
		return d
	}
	if t.DType() == tensor.Float64 {
		return G.NewF64(tensor.Data[float64](t)[0])
	}
	return G.NewF32(t.F32()[0])
}
