package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// The gradients of a convolution in ONNX's own operators, for the export of derived graphs. They hold for 2-D convolutions without groups or
// automatic padding, whose windows cover the input exactly or leave a rest at the end that the transposed form pads.

// lowerConvDX is ConvTranspose, followed by zero rows where the windows left a rest.
func lowerConvDX(a *convAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	if a.AutoPad != "NOTSET" && a.AutoPad != "" && a.AutoPad != "VALID" {
		return nil, fmt.Errorf("auto_pad %s has no fixed transposed form", a.AutoPad)
	}
	t := &convTransposeAttrs{AutoPad: "NOTSET", Dilations: a.Dilations, Group: a.Group, Pads: a.Pads, Strides: a.Strides}
	dx := b.Add(ConvTranspose, t, n.In[0], n.In[1])
	// Pad at the end up to the extents of X: Shape(X) - Shape(dx).
	rest := b.Add(Sub, nil, b.Add(Shape, nil, n.In[2]), b.Add(Shape, nil, dx))
	pads := b.Add(Concat, &concatAttrs{Axis: 0}, b.Add(Sub, nil, rest, rest), rest)
	return []graph.Value{b.Add(Pad, nil, dx, pads)}, nil
}

// lowerConvDW is the convolution of X and dY with batch and channels exchanged, strides and dilations exchanged too.
func lowerConvDW(a *convAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	if a.Group != 1 {
		return nil, fmt.Errorf("a grouped weight gradient has no single convolution")
	}
	if a.AutoPad != "NOTSET" && a.AutoPad != "" && a.AutoPad != "VALID" {
		return nil, fmt.Errorf("auto_pad %s has no fixed transposed form", a.AutoPad)
	}
	swap := &transposeAttrs{Perm: []int{1, 0, 2, 3}}
	x, dy := b.Add(Transpose, swap, n.In[0]), b.Add(Transpose, swap, n.In[1])
	conv := &convAttrs{AutoPad: "NOTSET", Group: 1, Pads: a.Pads, Strides: a.Dilations, Dilations: a.Strides}
	dw := b.Add(Transpose, swap, b.Add(Conv, conv, x, dy))
	// Where the windows left a rest the result is larger than W: cut it.
	zero := b.Ints(0, 0, 0, 0)
	return []graph.Value{b.Add(Slice, nil, dw, zero, b.Add(Shape, nil, n.In[2]))}, nil
}
