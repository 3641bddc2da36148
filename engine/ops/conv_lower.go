package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// The gradients of a convolution in ONNX's own operators, for the export of derived graphs. Automatic
// padding and groups are written out.

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

// samePads are the paddings [d] before and after X that auto_pad SAME_UPPER or SAME_LOWER comes to; 0 where it is neither.
func (a *convAttrs) samePads(b *graph.Builder, x, w graph.Value, d int) (begin, end graph.Value) {
	if a.AutoPad != "SAME_UPPER" && a.AutoPad != "SAME_LOWER" {
		return 0, 0
	}
	each := func(v []int) graph.Value {
		if len(v) == 0 {
			v = slices.Repeat([]int{1}, d)
		}
		return b.Ints(v...)
	}
	one, two := b.Ints(1), b.Ints(2)
	stride, in := each(a.Strides), shapePart(b, x, 2, 0)
	out := b.Add(Div, nil, sub(b, add(b, in, stride), one), stride)
	reach := add(b, mul(b, sub(b, shapePart(b, w, 2, 0), one), each(a.Dilations)), one)
	total := b.Add(Max, nil, b.Ints(0), sub(b, add(b, mul(b, sub(b, out, one), stride), reach), in))
	begin = b.Add(Div, nil, total, two)
	end = sub(b, total, begin)
	if a.AutoPad == "SAME_LOWER" {
		begin, end = end, begin
	}
	return begin, end
}

// deepPads reports whether padding at the beginning may hold a whole window: ConvTranspose would cut off more than it has.
func (a *convAttrs) deepPads(b *graph.Builder, w graph.Value) bool {
	if a.AutoPad == "VALID" {
		return false
	}
	d := len(a.Pads) / 2
	for i, pad := range a.Pads[:d] {
		k, dilation := 0, 1
		switch info := b.G.Info(w); {
		case info.Data != nil && info.Data.Rank() == d+2:
			k = info.Data.Dim(2 + i)
		case len(info.Dims) == d+2:
			k = info.Dims[2+i].Size
		}
		if k <= 0 && len(a.Kernel) == d {
			k = a.Kernel[i]
		}
		if len(a.Dilations) == d {
			dilation = a.Dilations[i]
		}
		if k > 0 && pad > (k-1)*dilation {
			return true
		}
	}
	return false
}

// lowerConvDX is ConvTranspose without padding at the end, whose result is then cut, or continued by zeros where the windows left a rest,
// to the extents of X.
func lowerConvDX(a *convAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	d := a.spatialAxes(b, n.In[1], n.In[0], n.In[2])
	begin, end := a.samePads(b, n.In[2], n.In[1], d)
	if a.deepPads(b, n.In[1]) {
		begin, end = b.Ints(a.Pads[:d]...), b.Ints(a.Pads[d:]...)
	}
	if begin != 0 { // through X with its padding, which is then cut off
		plain := *a
		plain.AutoPad, plain.Pads = "VALID", nil
		padded := b.Add(Pad, nil, n.In[2], joined(b, b.Ints(0, 0), begin, b.Ints(0, 0), end))
		from := joined(b, b.Ints(0, 0), begin)
		dx := b.Add(ConvDX, &plain, n.In[0], n.In[1], padded)
		return []graph.Value{b.Add(Slice, nil, dx, from, b.Add(Add, nil, from, b.Add(Shape, nil, n.In[2])))}, nil
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
	perm, byGroup := []int{1, 0}, []int{2, 1, 0}
	zeros := []int{0, 0}
	d := a.spatialAxes(b, n.In[2], n.In[0])
	for i := range d {
		perm, byGroup, zeros = append(perm, 2+i), append(byGroup, 3+i), append(zeros, 0)
	}
	swap := &transposeAttrs{Perm: perm}
	conv := &convAttrs{AutoPad: "NOTSET", Group: a.Group, Strides: a.Dilations, Dilations: a.Strides}
	x := n.In[0]
	switch begin, end := a.samePads(b, x, n.In[2], d); {
	case begin != 0:
		x = b.Add(Pad, nil, x, joined(b, b.Ints(0, 0), begin, b.Ints(0, 0), end))
	case a.AutoPad != "VALID":
		conv.Pads = a.Pads
	}
	if a.Group == 1 {
		x = b.Add(Transpose, swap, x)
	} else { // [N,G·C,…] -> [C,G·N,…]: the groups of a convolution over examples
		batch, channels, space := shapePart(b, x, 0, 1), shapePart(b, n.In[2], 1, 2), shapePart(b, x, 2, 0)
		x = inShape(b, x, batch, b.Ints(a.Group), channels, space)
		x = inShape(b, b.Add(Transpose, &transposeAttrs{Perm: byGroup}, x), channels, mul(b, batch, b.Ints(a.Group)), space)
	}
	dy := b.Add(Transpose, swap, n.In[1])
	dw := b.Add(Transpose, swap, b.Add(Conv, conv, x, dy))
	// Where the windows left a rest the result is larger than W: cut it.
	return []graph.Value{b.Add(Slice, nil, dw, b.Ints(zeros...), b.Add(Shape, nil, n.In[2]))}, nil
}
