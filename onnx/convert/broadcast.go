package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Up to version 6 the second operand is stretched where attributes say so, and where axis puts it; from 7 on as NumPy does.
func init() {
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"} {
		register(op, 7, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
			a := attr(n, "axis")
			on, ok := number(n, "broadcast", 0)
			axis := a.GetI()
			drop(n, "axis", "broadcast", "consumed_inputs")
			if on == 0 && ok || a == nil {
				return keep(n), nil
			}
			big, known := k.s.Shape(input(n, 0))
			small, known2 := k.s.Shape(input(n, 1))
			if !ok || a.GetRefAttrName() != "" || !known || !known2 {
				return nil, errors.New("attribute axis says where its second operand is stretched, and the ranks of its inputs are not known")
			}
			if axis < 0 {
				axis += int64(len(big))
			}
			return k.stretched(n, axis, len(big), len(small))
		}})
	}
	register("PRelu", 7, rule{up: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		drop(n, "consumed_inputs")
		x, known := k.s.Shape(input(n, 0))
		slope, known2 := k.s.Shape(input(n, 1))
		switch {
		case known2 && (len(slope) == 0 || len(slope) == 1 && slope[0] == 1):
			return keep(n), nil
		case !known || !known2:
			return nil, errors.New("its slope is that of the channels, and the ranks of its inputs are not known")
		}
		return k.stretched(n, 1, len(x), len(slope))
	}})
}

// stretched gives input 1, of rank small, axes of size 1 at its end, so that it begins at an axis of input 0, of rank big.
func (k *conv) stretched(n *onnxpb.NodeProto, axis int64, big, small int) ([]*onnxpb.NodeProto, error) {
	more := big - small - int(axis)
	if more < 0 {
		return nil, errors.New("its second operand does not fit behind axis")
	}
	if more == 0 {
		return keep(n), nil
	}
	axes := make([]int64, more)
	for i := range axes {
		axes[i] = int64(small + i)
	}
	d := k.s.DType(input(n, 1))
	if d == tensor.Undefined {
		d = k.s.DType(input(n, 0))
	}
	wide, w := k.part(n, "Unsqueeze", "stretched", d, []string{input(n, 1)}, onnx.AttrInts("axes", axes...))
	setInput(n, 1, w)
	return keep(n, wide), nil
}
