package runtimes

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// window is the geometry of a convolution or pooling over two axes.
type window struct{ kernel, pad, stride, dilation []int }

func (c *call) window(x *G.Node, kernel []int) (w window, err error) {
	if len(x.Shape()) != 4 || len(kernel) != 2 {
		return w, fmt.Errorf("only two spatial axes are translated")
	}
	if a, ok := c.attrs["auto_pad"]; ok && string(a.GetS()) != "NOTSET" && string(a.GetS()) != "VALID" {
		return w, fmt.Errorf("auto_pad %s is not translated", a.GetS())
	}
	w = window{kernel: kernel, pad: []int{0, 0}, stride: []int{1, 1}, dilation: []int{1, 1}}
	if v, ok, _ := c.ints("strides", -1); ok {
		w.stride = v
	}
	if v, ok, _ := c.ints("dilations", -1); ok {
		w.dilation = v
	}
	if v, ok, _ := c.ints("pads", -1); ok {
		if len(v) != 4 || v[0] != v[2] || v[1] != v[3] {
			return w, fmt.Errorf("pads %v: gorgonia has the same at both ends", v)
		}
		w.pad = v[:2]
	}
	if len(w.stride) != 2 || len(w.dilation) != 2 {
		return w, fmt.Errorf("strides %v, dilations %v: want two", w.stride, w.dilation)
	}
	return w, nil
}

func conv(c *call) (arg, error) {
	x, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	f, err := c.node(1)
	if err != nil {
		return arg{}, err
	}
	if c.int("group", 1) != 1 {
		return arg{}, fmt.Errorf("gorgonia has no groups")
	}
	if len(f.Shape()) != 4 {
		return arg{}, fmt.Errorf("only two spatial axes are translated")
	}
	w, err := c.window(x, f.Shape()[2:])
	if err != nil {
		return arg{}, err
	}
	y, err := G.Conv2d(x, f, w.kernel, w.pad, w.stride, w.dilation)
	if err != nil || !c.arg(2).given() {
		return arg{node: y}, err
	}
	k := c.arg(2).known
	if k == nil {
		return arg{}, fmt.Errorf("a bias that is computed is not translated")
	}
	b, err := c.like(k.Reshape(1, k.Len(), 1, 1), y.Shape())
	if err != nil {
		return arg{}, err
	}
	return result(G.Add(y, b))
}

func maxPool(c *call) (arg, error) {
	x, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	kernel, _, err := c.ints("kernel_shape", -1)
	if err != nil {
		return arg{}, err
	}
	w, err := c.window(x, kernel)
	if err != nil {
		return arg{}, err
	}
	if c.int("ceil_mode", 0) != 0 || !slices.Equal(w.dilation, []int{1, 1}) {
		return arg{}, fmt.Errorf("gorgonia has no ceil_mode and no dilations of pools")
	}
	return result(G.MaxPool2D(x, w.kernel, w.pad, w.stride))
}
