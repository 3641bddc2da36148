package models

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	builders.Register("mlp", Builder{[]string{"classes", "channels", "features", "image-size", "hidden", "layers"}, mlp},
		"multilayer perceptron with ReLU on a table [N,features] or a flattened image [N,C,S,S]; default [N,1,8,8], 2 hidden layers of 64, "+
			"10 classes",
		"https://www.deeplearningbook.org/contents/mlp.html")
}

func mlp(o Options) (*onnx.Model, error) {
	c, s, h, k := or(o.Channels, 1), or(o.ImageSize, 8), or(o.Hidden, 64), or(o.Classes, 10)
	b := newNet("mlp", 17, o.Seed)
	var x string
	in := o.Features
	switch {
	case in > 0 && (o.Channels > 0 || o.ImageSize > 0):
		return nil, errors.New("models: mlp: features are of a table, channels and image-size of a picture: give one of the two")
	case in > 0:
		x = b.input("input", "N", in)
	default:
		x, in = b.flatten(b.input("input", "N", c, s, s)), c*s*s
	}
	for i := range or(o.Layers, 2) {
		x = b.relu(b.linear(x, fmt.Sprintf("fc%d", i+1), in, h))
		in = h
	}
	return b.finish(b.linear(x, "head", in, k), "logits", "N", k), nil
}
