package convert

import (
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// HardSwish came with version 14: x·HardSigmoid(x) with slope 1/6.
func init() {
	register("HardSwish", 14, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		b, err := k.bodyOf(n, 14)
		if err != nil {
			return nil, err
		}
		x := b.wide()
		return b.done("Mul", []string{x, b.op("HardSigmoid", []string{x}, onnx.AttrFloat("alpha", 1./6), onnx.AttrFloat("beta", 0.5))})
	}})
}
