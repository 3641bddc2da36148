package convert

import (
	"errors"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// removed writes operators that ONNX had on trial, and took back, in others.
//
// Source: https://github.com/onnx/onnx/blob/rel-1.4.1/docs/Operators.md (experimental operators).
var removed = map[string]step{
	"Affine": func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { // alpha·x + beta
		b, err := k.bodyOf(n, 1)
		if err != nil {
			return nil, err
		}
		alpha, err := decimal(n, "alpha", 1)
		if err != nil {
			return nil, err
		}
		beta, err := decimal(n, "beta", 0)
		if err != nil {
			return nil, err
		}
		return b.done("Add", []string{b.op("Mul", []string{input(n, 0), b.number(alpha)}), b.number(beta)})
	},
	"ImageScaler": func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { // scale·x, and the bias of each channel
		b, err := k.bodyOf(n, 1)
		if err != nil {
			return nil, err
		}
		scale, err := decimal(n, "scale", 1)
		bias := attr(n, "bias")
		if err != nil || bias == nil || bias.GetRefAttrName() != "" {
			return nil, errors.Join(err, errors.New("attribute bias is needed"))
		}
		t, err := tensor.From(slices.Clone(bias.GetFloats()), len(bias.GetFloats()), 1, 1).Convert(b.d)
		if err != nil {
			return nil, err
		}
		return b.done("Add", []string{b.op("Mul", []string{input(n, 0), b.number(scale)}), b.constant("bias", t)})
	},
	"Crop": func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) { // of the borders left, top, right, bottom, or to a size
		border, scale := attr(n, "border"), attr(n, "scale")
		b, err := k.bodyOf(n, 1)
		if err != nil || len(border.GetInts()) != 4 || border.GetRefAttrName()+scale.GetRefAttrName() != "" {
			return nil, errors.Join(err, errors.New("attribute border is needed"))
		}
		w := border.GetInts()
		starts, ends := []int64{w[1], w[0]}, []int64{-w[3], -w[2]}
		for i := range ends {
			if ends[i] == 0 {
				ends[i] = 1 << 62
			}
			if s := scale.GetInts(); len(s) == 2 {
				ends[i] = starts[i] + s[i]
			}
		}
		k.set = 10
		list := func(what string, v []int64) string { return b.constant(what, tensor.From(v, len(v))) }
		return b.done("Slice", []string{input(n, 0), list("starts", starts), list("ends", ends), list("axes", []int64{2, 3})})
	},
}
