package convert

import (
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// GreaterOrEqual and LessOrEqual came with version 12.
func init() {
	for op, strict := range map[string]string{"GreaterOrEqual": "Greater", "LessOrEqual": "Less"} {
		register(op, 12, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			b := &body{k: k, n: n, d: tensor.Bool}
			in := n.GetInput()
			return b.done("Or", []string{b.op(strict, in), b.op("Equal", in)})
		}})
	}
}
