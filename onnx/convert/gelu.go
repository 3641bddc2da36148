package convert

import (
	"math"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// Gelu came with version 20: x/2·(1+erf(x/√2)), or with tanh of √(2/π)·(x+0.044715x³).
func init() {
	register("Gelu", 20, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		b, err := k.bodyOf(n, 20)
		if err != nil {
			return nil, err
		}
		x := b.wide()
		var bend string
		if text(n, "approximate", "none") == "tanh" {
			cube := b.op("Mul", []string{b.op("Mul", []string{x, x}), x})
			sum := b.op("Add", []string{x, b.op("Mul", []string{b.number(0.044715), cube})})
			bend = b.op("Tanh", []string{b.op("Mul", []string{b.number(math.Sqrt(2 / math.Pi)), sum})})
		} else {
			bend = b.op("Erf", []string{b.op("Div", []string{x, b.number(math.Sqrt2)})})
		}
		half := b.op("Mul", []string{b.number(0.5), x})
		return b.done("Mul", []string{half, b.op("Add", []string{b.number(1), bend})})
	}})
}
