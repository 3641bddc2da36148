package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Scales of an axis came with version 13; from 21 on the type of the result may be given without a zero point.
func init() {
	for _, op := range []string{"QuantizeLinear", "DequantizeLinear"} {
		register(op, 13, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if dims, known := k.s.Shape(input(n, 1)); !known || len(dims) > 0 {
				return nil, errors.New("it may have a scale for each index of an axis, which came with operator set 13")
			}
			drop(n, "axis")
			return keep(n), nil
		}})
	}
	register("QuantizeLinear", 21, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		v, ok := number(n, "output_dtype", 0)
		if v == 0 && ok {
			return keep(n), nil
		}
		dims, known := k.s.Shape(input(n, 1))
		d := tensor.DType(v)
		switch {
		case input(n, 2) != "": // which says the type
		case !known || len(dims) > 0 || !d.Valid() || d == tensor.String || d.IsContainer():
			return nil, errors.New("attribute output_dtype says its type, which only a zero point could before")
		default:
			zero, nodes := k.add(n, "zero_point", tensor.New(d))
			setInput(n, 2, zero)
			drop(n, "output_dtype")
			return keep(n, nodes...), nil
		}
		drop(n, "output_dtype")
		return keep(n), nil
	}})
}
