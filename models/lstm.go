package models

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

func init() {
	builders.Register("lstm", Builder{[]string{"classes", "channels", "features", "hidden", "layers"}, lstm},
		"LSTM over a sequence [N,T,features] and a linear layer on its last state; default 6 features, 64 hidden, 1 layer, 6 outputs",
		"https://doi.org/10.1162/neco.1997.9.8.1735")
}

func lstm(o Options) (*onnx.Model, error) {
	in, h, k := or(o.Features, or(o.Channels, 6)), or(o.Hidden, 64), or(o.Classes, 6)
	b := newNet("lstm", 17, o.Seed)
	x := b.node("Transpose", []string{b.input("input", "N", "T", in)}, onnx.AttrInts("perm", 1, 0, 2)) // [T,N,in]
	axis := b.ints("direction.axis", 1)
	var last string
	for l := range or(o.Layers, 1) {
		name := fmt.Sprintf("lstm%d", l+1)
		draw := b.uniform(h)
		ins := []string{x, b.param(name+".weight_ih", draw, 1, 4*h, in), b.param(name+".weight_hh", draw, 1, 4*h, h),
			b.param(name+".bias", draw, 1, 8*h)}
		y, yh := name+"_out", name+"_h"
		b.g.Node = append(b.g.Node, onnx.NewNode("LSTM", name, ins, []string{y, yh},
			[]*onnxpb.AttributeProto{onnx.AttrInt("hidden_size", int64(h))}...))
		x = b.node("Squeeze", []string{y, axis}) // [T,1,N,h] -> [T,N,h]
		last, in = yh, h
	}
	z := b.node("Squeeze", []string{last, b.ints("layer.axis", 0)}) // [1,N,h] -> [N,h]
	return b.finish(b.linear(z, "head", h, k), "output", "N", k), nil
}
