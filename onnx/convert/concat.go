package convert

import (
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Up to version 3 the axis may be left out and is 1.
func init() {
	register("Concat", 4, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		if attr(n, "axis") == nil {
			put(n, onnx.AttrInt("axis", 1))
		}
		return keep(n), nil
	}})
}
