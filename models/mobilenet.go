package models

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	builders.Register("mobilenet_v2", Builder{[]string{"classes", "channels", "image-size"}, mobilenetV2},
		"inverted residuals and depthwise convolutions; default [N,3,224,224], 1000 classes", "https://arxiv.org/abs/1801.04381")
}

func (b *net) relu6(x string) string {
	if b.count["relu6"] == 0 {
		b.count["relu6"]++
		b.param("relu6.min", constant(0))
		b.param("relu6.max", constant(6))
	}
	return b.node("Clip", []string{x, "relu6.min", "relu6.max"})
}

// mobilenetV2 is the network of Sandler et al. 2018, table 2, with width 1.
func mobilenetV2(o Options) (*onnx.Model, error) {
	c, s, k := or(o.Channels, 3), or(o.ImageSize, 224), or(o.Classes, 1000)
	b := newNet("mobilenet_v2", 17, o.Seed)
	unit := func(x, name string, in, out, k, stride, group int) string {
		y := b.conv(x, name+".0", in, out, k, stride, k/2, group, false, true)
		return b.norm(y, name+".1", out)
	}
	x := b.relu6(unit(b.input("input", "N", c, s, s), "features.0", c, 32, 3, 2, 1))
	in, at := 32, 1
	for _, st := range []struct{ t, c, n, s int }{{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1},
		{6, 160, 3, 2}, {6, 320, 1, 1}} {
		for i := range st.n {
			stride := 1
			if i == 0 {
				stride = st.s
			}
			name := fmt.Sprintf("features.%d", at)
			hidden, y := in*st.t, x
			if st.t != 1 {
				y = b.relu6(unit(y, name+".expand", in, hidden, 1, 1, 1))
			}
			y = b.relu6(unit(y, name+".depthwise", hidden, hidden, 3, stride, hidden))
			y = unit(y, name+".project", hidden, st.c, 1, 1, 1)
			if stride == 1 && in == st.c {
				y = b.node("Add", []string{x, y})
			}
			x, in = y, st.c
			at++
		}
	}
	x = b.relu6(unit(x, fmt.Sprintf("features.%d", at), in, 1280, 1, 1, 1))
	return b.finish(b.linear(b.pooled(x), "classifier", 1280, k), "logits", "N", k), nil
}
