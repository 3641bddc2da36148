package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Celu came with version 12: α·Elu(x/α).
func init() {
	register("Celu", 12, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		b, err := k.bodyOf(n, 12)
		if err != nil {
			return nil, err
		}
		alpha, err := decimal(n, "alpha", 1)
		if err != nil || alpha == 0 {
			return nil, errors.Join(err, errors.New("the operator came with operator set 12, and its body needs an alpha that is not 0"))
		}
		x := b.wide()
		a := b.number(alpha)
		return b.done("Mul", []string{b.op("Elu", []string{b.op("Div", []string{x, a})}, onnx.AttrFloat("alpha", 1)), a})
	}})
}
