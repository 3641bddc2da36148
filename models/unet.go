package models

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	builders.Register("unet", Builder{[]string{"classes", "channels", "image-size", "hidden", "layers"}, unet},
		"U-Net, a class for each pixel; default [N,3,64,64], 2 classes, 16 channels (hidden) at full size, halved 3 times (layers)",
		"https://arxiv.org/abs/1505.04597")
}

// unet is the network of Ronneberger et al. 2015: pairs of convolutions that halve the picture and double the channels, and the way back,
// which sees the pairs of its size too. Convolutions are padded, so that sizes stay, and followed by batch normalisation, both unlike the
// paper and as usual since.
func unet(o Options) (*onnx.Model, error) {
	c, s, k, width, levels := or(o.Channels, 3), or(o.ImageSize, 64), or(o.Classes, 2), or(o.Hidden, 16), or(o.Layers, 3)
	if levels > 8 || s%(1<<levels) != 0 {
		return nil, fmt.Errorf("models: unet: image size %d cannot be halved %d times; take fewer layers (at most 8) or a multiple of %d", s,
			levels, 1<<min(levels, 8))
	}
	if width<<levels > 1<<14 {
		return nil, fmt.Errorf("models: unet: %d channels doubled %d times are %d, want at most 16384", width, levels, width<<levels)
	}
	b := newNet("unet", 17, o.Seed)
	pair := func(x, name string, in, out int) string {
		for i, from := range []int{in, out} {
			x = b.conv(x, fmt.Sprintf("%s.conv%d", name, i+1), from, out, 3, 1, 1, 1, false, true)
			x = b.relu(b.norm(x, fmt.Sprintf("%s.bn%d", name, i+1), out))
		}
		return x
	}
	x, wide := pair(b.input("input", "N", c, s, s), "down0", c, width), width
	var seen []string
	for i := range levels {
		seen = append(seen, x)
		x = pair(b.pool(x, 2, 2, 0), fmt.Sprintf("down%d", i+1), wide, 2*wide)
		wide *= 2
	}
	for i := levels - 1; i >= 0; i-- {
		name := fmt.Sprintf("up%d", i)
		x = b.named("ConvTranspose", name+".grow", []string{x,
			b.param(name+".grow.weight", b.normal(math.Sqrt(1/float64(wide))), wide, wide/2, 2, 2), b.param(name+".grow.bias", constant(0), wide/2)},
			onnx.AttrInts("kernel_shape", 2, 2), onnx.AttrInts("strides", 2, 2))
		x = pair(b.node("Concat", []string{seen[i], x}, onnx.AttrInt("axis", 1)), name, wide, wide/2)
		wide /= 2
	}
	return b.finish(b.conv(x, "head", width, k, 1, 1, 0, 1, true, false), "logits", "N", k, s, s), nil
}
