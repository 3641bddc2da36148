package models

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	const source = "https://arxiv.org/abs/1512.03385"
	takes := []string{"classes", "channels", "image-size"}
	builders.Register("resnet8", Builder{takes, cifarResNet("resnet8", 1)},
		"residual network for small images, 1 block per stage; default [N,3,32,32], 10 classes", source)
	builders.Register("resnet20", Builder{takes, cifarResNet("resnet20", 3)},
		"residual network for small images, 3 blocks per stage; default [N,3,32,32], 10 classes", source)
	builders.Register("resnet18", Builder{takes, resnet18}, "residual network for ImageNet; default [N,3,224,224], 1000 classes", source)
}

// block is a basic block (He et al. 2016, figure 2): two 3×3 convolutions and a shortcut, which is a 1×1 convolution where the size
// changes.
func (b *net) block(x, name string, in, out, stride int) string {
	y := b.relu(b.norm(b.conv(x, name+".conv1", in, out, 3, stride, 1, 1, false, true), name+".bn1", out))
	y = b.norm(b.conv(y, name+".conv2", out, out, 3, 1, 1, 1, false, true), name+".bn2", out)
	if stride != 1 || in != out {
		x = b.norm(b.conv(x, name+".downsample.0", in, out, 1, stride, 0, 1, false, true), name+".downsample.1", out)
	}
	return b.relu(b.node("Add", []string{y, x}))
}

// cifarResNet is the network of He et al. 2016, section 4.2, with 6n+2 layers, its shortcuts being projections (option B).
func cifarResNet(name string, n int) func(o Options) (*onnx.Model, error) {
	return func(o Options) (*onnx.Model, error) {
		c, s, k := or(o.Channels, 3), or(o.ImageSize, 32), or(o.Classes, 10)
		b := newNet(name, 17, o.Seed)
		x := b.relu(b.norm(b.conv(b.input("input", "N", c, s, s), "conv1", c, 16, 3, 1, 1, 1, false, true), "bn1", 16))
		in := 16
		for stage, out := range []int{16, 32, 64} {
			for i := range n {
				stride := 1
				if i == 0 && stage > 0 {
					stride = 2
				}
				x = b.block(x, fmt.Sprintf("layer%d.%d", stage+1, i), in, out, stride)
				in = out
			}
		}
		return b.finish(b.linear(b.pooled(x), "fc", in, k), "logits", "N", k), nil
	}
}

// resnet18 is the 18-layer network of He et al. 2016, table 1.
func resnet18(o Options) (*onnx.Model, error) {
	c, s, k := or(o.Channels, 3), or(o.ImageSize, 224), or(o.Classes, 1000)
	b := newNet("resnet18", 17, o.Seed)
	x := b.relu(b.norm(b.conv(b.input("input", "N", c, s, s), "conv1", c, 64, 7, 2, 3, 1, false, true), "bn1", 64))
	x = b.pool(x, 3, 2, 1)
	in := 64
	for stage, out := range []int{64, 128, 256, 512} {
		for i := range 2 {
			stride := 1
			if i == 0 && stage > 0 {
				stride = 2
			}
			x = b.block(x, fmt.Sprintf("layer%d.%d", stage+1, i), in, out, stride)
			in = out
		}
	}
	return b.finish(b.linear(b.pooled(x), "fc", in, k), "logits", "N", k), nil
}
