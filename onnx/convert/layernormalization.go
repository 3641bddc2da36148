package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// LayerNormalization came with version 17, RMSNormalization with 23. Both compute in float32 unless stash_type says otherwise.
func init() {
	register("LayerNormalization", 17, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		return k.normalised(n, 17, true)
	}})
	register("RMSNormalization", 23, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		return k.normalised(n, 23, false)
	}})
}

// normalised is the body of a normalisation over the axes from axis on, which takes the mean away if centred.
func (k *conv) normalised(n *onnxpb.NodeProto, since int, centred bool) ([]*onnxpb.NodeProto, error) {
	b, err := k.bodyOf(n, since)
	if err != nil {
		return nil, err
	}
	eps, err := decimal(n, "epsilon", 1e-5)
	if err != nil {
		return nil, err
	}
	axis, ok := number(n, "axis", -1)
	dims, known := k.s.Shape(input(n, 0))
	switch {
	case !ok || !is(n, "stash_type", 1, 1) && !is(n, "stash_type", 1, 11):
		return nil, errors.New("its axis or stash_type is taken from the call of the function, or one that its body does not have")
	case axis >= 0 && !known:
		return nil, errors.New("its axis is counted from the front, and the rank of its input, which its body needs, is not known")
	case axis >= 0:
		axis -= int64(len(dims))
	}
	if axis >= 0 || axis < -64 {
		return nil, errors.New("its axis is none of its input")
	}
	var axes []int64
	for a := axis; a < 0; a++ {
		axes = append(axes, a)
	}
	if k.to < 11 {
		if !known || axis+int64(len(dims)) < 0 {
			return nil, errors.New("the rank of its input, which its body needs before operator set 11, is not known")
		}
		for i := range axes {
			axes[i] += int64(len(dims))
		}
	}
	x, d := input(n, 0), b.d
	stash, _ := number(n, "stash_type", 1)
	if b.d = tensor.DType(stash); b.d != d {
		x = b.cast(x, b.d)
	}
	if centred {
		mean := b.mean(x, axes)
		if out := output(n, 1); out != "" {
			b.nodes = append(b.nodes, onnx.NewNode("Identity", "", []string{mean}, []string{out}))
		}
		x = b.op("Sub", []string{x, mean})
	}
	deviation := b.op("Sqrt", []string{b.op("Add", []string{b.mean(b.op("Mul", []string{x, x}), axes), b.number(eps)})})
	if out := output(n, 2); out != "" {
		b.nodes = append(b.nodes, onnx.NewNode("Reciprocal", "", []string{deviation}, []string{out}))
	}
	y := b.op("Div", []string{x, deviation})
	out := d
	if !centred {
		if s := k.s.DType(input(n, 1)); s != tensor.Undefined {
			out = s
		}
	}
	if b.d != out {
		y, b.d = b.cast(y, out), out
	}
	if input(n, 2) == "" {
		return b.done("Mul", []string{y, input(n, 1)})
	}
	return b.done("Add", []string{b.op("Mul", []string{y, input(n, 1)}), input(n, 2)})
}
