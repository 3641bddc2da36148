package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// poolAttrs are the attributes of MaxPool and AveragePool.
type poolAttrs struct {
	AutoPad      string `onnx:"auto_pad,default=NOTSET"`
	Ceil         bool   `onnx:"ceil_mode,default=0"`
	IncludePad   bool   `onnx:"count_include_pad,default=0"`
	Dilations    []int  `onnx:"dilations"`
	Kernel       []int  `onnx:"kernel_shape,required"`
	Pads         []int  `onnx:"pads"`
	StorageOrder int    `onnx:"storage_order,default=0"`
	Strides      []int  `onnx:"strides"`
}

// geometry resolves the windows over X [N,C,i…].
func (a *poolAttrs) geometry(x tensor.Shape) (*convGeometry, error) {
	d := len(x) - 2
	if d < 1 {
		return nil, fmt.Errorf("input X has shape %v, want [N,C,…] of rank 3 or more", x)
	}
	if len(a.Kernel) != d {
		return nil, fmt.Errorf("attribute kernel_shape has %d values for %d spatial axes", len(a.Kernel), d)
	}
	g := &convGeometry{n: x[0], c: x[1], m: x[1], group: x[1], in: x[2:], k: a.Kernel}
	var err error
	g.stride, g.dil, g.a, g.b, g.out, err = windows(a.AutoPad, g.in, g.k, a.Strides, a.Dilations, a.Pads, a.Ceil)
	return g, err
}

func inferPool(a *poolAttrs, c *graph.InferCtx) error {
	g, err := a.geometry(c.Shape(0))
	if err != nil {
		return err
	}
	for i := range c.NumOut() {
		c.Out(i, g.outShape()...)
	}
	return nil
}

// pool is the geometry in the form of the pooling kernels.
func (g *convGeometry) pool(includePad bool) *kernel.PoolParams {
	return &kernel.PoolParams{
		Planes: g.n * g.c, In: g.in, Out: g.out, Kernel: g.k, Stride: g.stride, Dilation: g.dil, PadBegin: g.a, PadEnd: g.b,
		CountIncludePad: includePad,
	}
}
