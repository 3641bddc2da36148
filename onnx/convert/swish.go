package convert

import "github.com/gtk-onnx/gtk/onnx/onnxpb"

// Swish came with version 24: x·sigmoid(αx).
func init() {
	register("Swish", 24, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		b, err := k.bodyOf(n, 24)
		if err != nil {
			return nil, err
		}
		alpha, err := decimal(n, "alpha", 1)
		if err != nil {
			return nil, err
		}
		x := b.wide()
		in := x
		if alpha != 1 {
			in = b.op("Mul", []string{b.number(alpha), x})
		}
		return b.done("Mul", []string{x, b.op("Sigmoid", []string{in})})
	}})
}
