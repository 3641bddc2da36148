package models

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	builders.Register("dncnn", Builder{[]string{"channels", "hidden", "layers"}, dncnn},
		"plain convolutions that give what is to be added to a noisy picture; default [N,1,H,W], 8 layers of 48 channels (hidden)",
		"https://arxiv.org/abs/1608.03981")
}

// dncnn is the network of Zhang et al. 2017 without normalisation, as its authors train it since. Sizes are free.
func dncnn(o Options) (*onnx.Model, error) {
	c, width, layers := or(o.Channels, 1), or(o.Hidden, 48), or(o.Layers, 8)
	if layers < 2 {
		return nil, fmt.Errorf("models: dncnn: %d layers, want at least 2", layers)
	}
	b := newNet("dncnn", 17, o.Seed)
	x := b.input("input", "N", c, "H", "W")
	in := c
	for i := range layers - 1 {
		x = b.relu(b.conv(x, fmt.Sprintf("conv%d", i+1), in, width, 3, 1, 1, 1, true, true))
		in = width
	}
	return b.finish(b.conv(x, fmt.Sprintf("conv%d", layers), in, c, 3, 1, 1, 1, true, false), "residual", "N", c, "H", "W"), nil
}
