package convert

import (
	"errors"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Version 1 names the type, 6 has its number; what 19 and 24 say of eight-bit floats means nothing for other types.
func init() {
	register("Cast", 6, rule{
		up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			v, ok := onnxpb.TensorProto_DataType_value[strings.ToUpper(text(n, "to", ""))]
			if !ok {
				return nil, errors.New("attribute to names no type")
			}
			put(n, onnx.AttrInt("to", int64(v)))
			return keep(n), nil
		},
		down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			v, ok := number(n, "to", 0)
			name := onnxpb.TensorProto_DataType_name[int32(v)]
			if !ok || name == "" {
				return nil, errors.New("attribute to is no type")
			}
			put(n, onnx.AttrString("to", name))
			return keep(n), nil
		},
	})
	for _, op := range []string{"Cast", "CastLike"} {
		for since, what := range map[int]string{19: "saturate", 24: "round_mode"} {
			register(op, since, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
				drop(n, what) // its types are looked at when it is done
				return keep(n), nil
			}})
		}
	}
	register("CastLike", 15, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		d := k.s.DType(input(n, 1))
		if d == 0 {
			return nil, errors.New("the operator came with operator set 15, and the type that it casts to is not known")
		}
		return keep(becomes(n, "Cast", n.GetInput()[:1], onnx.AttrInt("to", int64(d)))), nil
	}})
}
