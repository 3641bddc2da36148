package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Version 12 has attributes for numbers and strings, which are tensors before.
func init() {
	register("Constant", 12, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if attr(n, "value") != nil || attr(n, "sparse_value") != nil {
			return keep(n), nil
		}
		p := constantOf(n)
		if p == nil {
			return nil, errors.New("its value is taken from the call of the function, in an attribute that came with operator set 12")
		}
		a := onnx.AttrInt("value", 0)
		a.I, a.T, a.Type = nil, p, new(onnxpb.AttributeProto_TENSOR)
		n.Attribute = []*onnxpb.AttributeProto{a}
		return keep(n), nil
	}})
}
