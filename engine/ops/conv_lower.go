package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// The gradients of a convolution in ONNX's own operators, for the export of derived graphs. They hold without automatic padding, the
// weight gradient also without groups.

// spatialAxes is the number of spatial axes of a convolution: from the content or declared shape of one of vs, else from the attributes,
// else 2.
func (a *convAttrs) spatialAxes(b *graph.Builder, vs ...graph.Value) int {
	for _, v := range vs {
		switch info := b.G.Info(v); {
		case info.Data != nil:
			return info.Data.Rank() - 2
		case info.Dims != nil:
			return len(info.Dims) - 2
		}
	}
	for _, n := range []int{len(a.Kernel), len(a.Strides), len(a.Dilations), len(a.Pads) / 2} {
		if n > 0 {
			return n
		}
	}
	return 2
}

// lowerConvDX is ConvTranspose without padding at the end, whose result is then cut, or continued by zeros where the windows left a rest,
// to the extents of X.
func lowerConvDX(a *convAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	if a.AutoPad != "NOTSET" && a.AutoPad != "" && a.AutoPad != "VALID" {
		return nil, fmt.Errorf("auto_pad %s has no fixed transposed form", a.AutoPad)
	}
	t := &convTransposeAttrs{AutoPad: "NOTSET", Dilations: a.Dilations, Group: a.Group, Strides: a.Strides}
	if len(a.Pads) > 0 && a.AutoPad != "VALID" {
		d := len(a.Pads) / 2
		t.Pads = append(slices.Clone(a.Pads[:d]), make([]int, d)...)
	}
	dx := b.Add(ConvTranspose, t, n.In[0], n.In[1])
	// Pad at the end by Shape(X) - Shape(dx), which may be negative.
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
	perm := []int{1, 0}
	zeros := []int{0, 0}
	for i := range a.spatialAxes(b, n.In[2], n.In[0]) {
		perm, zeros = append(perm, 2+i), append(zeros, 0)
	}
	swap := &transposeAttrs{Perm: perm}
	x, dy := b.Add(Transpose, swap, n.In[0]), b.Add(Transpose, swap, n.In[1])
	conv := &convAttrs{AutoPad: "NOTSET", Group: 1, Strides: a.Dilations, Dilations: a.Strides}
	if a.AutoPad != "VALID" {
		conv.Pads = a.Pads
	}
	dw := b.Add(Transpose, swap, b.Add(Conv, conv, x, dy))
	// Where the windows left a rest the result is larger than W: cut it.
	return []graph.Value{b.Add(Slice, nil, dw, b.Ints(zeros...), b.Add(Shape, nil, n.In[2]))}, nil
}
