package convert

import "github.com/gtk-onnx/gtk/onnx/onnxpb"

// Mish came with version 18: x·tanh(softplus(x)).
func init() {
	register("Mish", 18, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		b, err := k.bodyOf(n, 18)
		if err != nil {
			return nil, err
		}
		x := b.wide()
		return b.done("Mul", []string{x, b.op("Tanh", []string{b.op("Softplus", []string{x})})})
	}})
}
