package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// C is stretched without saying so from version 7 on, and may be left out from 11 on.
func init() {
	register("Gemm", 7, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			drop(n, "broadcast")
			return keep(n), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			put(n, onnx.AttrInt("broadcast", 1))
			return keep(n), nil
		},
	})
	register("Gemm", 11, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if input(n, 2) != "" {
			return keep(n), nil
		}
		d := k.s.DType(input(n, 0))
		if d == tensor.Undefined {
			return nil, errors.New("it has no C, which it needed before, and the type of its inputs is not known")
		}
		c, nodes := k.add(n, "zero", tensor.New(d, 1))
		setInput(n, 2, c)
		return keep(n, nodes...), nil
	}})
}
