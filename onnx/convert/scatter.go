package convert

import "github.com/gtk-onnx/gtk/onnx/onnxpb"

// Scatter is called ScatterElements from version 11 on.
func init() {
	register("Scatter", 11, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		n.OpType = new("ScatterElements")
		return keep(n), nil
	}})
	register("ScatterElements", 11, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		n.OpType = new("Scatter")
		return keep(n), nil
	}})
}
