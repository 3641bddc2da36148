package models

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	builders.Register("lenet", Builder{[]string{"classes", "channels", "image-size"}, lenet},
		"LeNet-5 with ReLU and max pooling; default input [N,1,28,28], 10 classes", "http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf")
}

// lenet is LeNet-5 (LeCun et al. 1998, section II.B) as it is built today: ReLU for tanh, max pooling for subsampling, padding 2 in the
// first layer so that 28×28 images need no margin.
func lenet(o Options) (*onnx.Model, error) {
	c, s, k := or(o.Channels, 1), or(o.ImageSize, 28), or(o.Classes, 10)
	side := (s/2 - 4) / 2
	if side < 1 {
		return nil, fmt.Errorf("models: lenet: image size %d is too small; the least is 12", s)
	}
	b := newNet("lenet", 17, o.Seed)
	x := b.input("input", "N", c, s, s)
	x = b.pool(b.relu(b.conv(x, "conv1", c, 6, 5, 1, 2, 1, true, false)), 2, 2, 0)
	x = b.pool(b.relu(b.conv(x, "conv2", 6, 16, 5, 1, 0, 1, true, false)), 2, 2, 0)
	x = b.flatten(x)
	x = b.relu(b.linear(x, "fc1", 16*side*side, 120))
	x = b.relu(b.linear(x, "fc2", 120, 84))
	return b.finish(b.linear(x, "fc3", 84, k), "logits", "N", k), nil
}
