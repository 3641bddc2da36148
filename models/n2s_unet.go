package models

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	builders.Register("n2s_unet", Builder{[]string{"channels", "hidden"}, n2sUnet},
		"U-Net of Noise2Noise and Noise2Score, blocks of which share their weights; default [N,1,H,W], 48 channels (hidden); sides must be "+
			"multiples of 32", "https://arxiv.org/abs/2106.07009")
}

// n2sUnet is the U-Net of Lehtinen et al. 2018 as the code of Noise2Score has it: halved five times, by one block from the second time on,
// and brought back by blocks of which the last three are one, each of which sees what was there at its size; leaky rectifiers of slope 0.1
// after every convolution but the last.
//
// Source: https://github.com/cubeyoung/Noise2Score, 0463d4e.
func n2sUnet(o Options) (*onnx.Model, error) {
	c, w := or(o.Channels, 1), or(o.Hidden, 48)
	b := newNet("n2s_unet", 17, o.Seed)
	uses := map[string]int{} // of the weights of a layer
	layer := func(op, x, name string, in, out, k int, leaky bool) string {
		weight, bias := name+".weight", name+".bias"
		if uses[name]++; uses[name] == 1 {
			shape := []int{out, in, k, k}
			if op == "ConvTranspose" {
				shape = []int{in, out, k, k}
			}
			b.param(weight, b.normal(math.Sqrt(2/(1+0.01)/float64(in*9))), shape...)
			b.param(bias, constant(0), out)
		} else {
			name = fmt.Sprintf("%s.%d", name, uses[name])
		}
		kk := int64(k)
		attrs := onnx.AttrInts("pads", 1, 1, 1, 1)
		if op == "ConvTranspose" {
			attrs = onnx.AttrInts("strides", 2, 2)
		}
		x = b.named(op, name, []string{x, weight, bias}, onnx.AttrInts("kernel_shape", kk, kk), attrs)
		if leaky {
			x = b.node("LeakyRelu", []string{x}, onnx.AttrFloat("alpha", 0.1))
		}
		return x
	}
	conv := func(x, name string, in, out int) string { return layer("Conv", x, name, in, out, 3, true) }
	grow := func(x, name string, n int) string { return layer("ConvTranspose", x, name, n, n, 2, false) }
	join := func(x, y string) string { return b.node("Concat", []string{x, y}, onnx.AttrInt("axis", 1)) }

	in := b.input("input", "N", c, "H", "W")
	x := b.pool(conv(conv(in, "down1.conv1", c, w), "down1.conv2", w, w), 2, 2, 0)
	seen := []string{in, x}
	for range 4 {
		x = b.pool(conv(x, "down2.conv", w, w), 2, 2, 0)
		seen = append(seen, x)
	}
	x = grow(conv(x, "up1.conv", w, w), "up1.grow", w)
	x = conv(conv(join(x, seen[4]), "up2.conv1", 2*w, 2*w), "up2.conv2", 2*w, 2*w)
	x = grow(x, "up2.grow", 2*w)
	for k := 3; k >= 1; k-- {
		x = conv(conv(join(x, seen[k]), "up3.conv1", 3*w, 2*w), "up3.conv2", 2*w, 2*w)
		x = grow(x, "up3.grow", 2*w)
	}
	x = conv(conv(join(x, in), "head.conv1", 2*w+c, 64), "head.conv2", 64, 32)
	return b.finish(layer("Conv", x, "head.conv3", 32, c, 3, false), "residual", "N", c, "H", "W"), nil
}
