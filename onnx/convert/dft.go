package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// The axis, 1 unless it is given, became an input in version 20, -2 unless it is given.
func init() {
	register("DFT", 20, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			if attr(n, "axis") == nil {
				put(n, onnx.AttrInt("axis", 1))
			}
			in, nodes, err := k.fromAttribute(n, "axis", true)
			if err != nil {
				return nil, err
			}
			setInput(n, 2, in)
			drop(n, "axis")
			return keep(n, nodes...), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			axis := int64(-2)
			if in := input(n, 2); in != "" {
				v, ok := k.ints(in)
				if !ok || len(v) != 1 {
					return nil, errors.New("its axis is computed or fed, and was an attribute before")
				}
				axis = v[0]
				setInput(n, 2, "")
				k.release(in)
			}
			dims, known := k.s.Shape(input(n, 0))
			if axis < 0 {
				if !known || axis+int64(len(dims)) < 0 {
					return nil, errors.New("its axis is counted from the end, and the rank of its input is not known")
				}
				axis += int64(len(dims))
			}
			put(n, onnx.AttrInt("axis", axis))
			return keep(n), nil
		},
	})
}
