package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// lowerAveragePoolGrad spreads each dY over its window: a transposed convolution with a kernel of ones, of dY divided by the number of
// elements that its window has, plane by plane. The numbers are themselves a convolution of ones.
func lowerAveragePoolGrad(a *poolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	dy, x := n.In[0], n.In[1]
	d, k := b.DType(dy), len(a.Kernel)
	pads := make([]int, 2*k)
	if len(a.Pads) > 0 && a.AutoPad != "VALID" {
		pads = slices.Clone(a.Pads)
	}
	one, err := tensor.From([]float32{1}, 1).Convert(d)
	if err != nil {
		return nil, err
	}
	filled := func(shape graph.Value) graph.Value {
		return b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: one}, shape)
	}
	window := filled(b.Ints(append([]int{1, 1}, a.Kernel...)...))
	plane := func(v graph.Value) graph.Value { // [N,C,…] as [N·C,1,…]
		planes := b.Add(ReduceProd, &reduceAttrs{KeepDims: true}, shapePart(b, v, 0, 2))
		return inShape(b, v, planes, b.Ints(1), shapePart(b, v, 2, 0))
	}
	border := append([]int{0, 0}, pads[:k]...)
	border = append(append(border, 0, 0), pads[k:]...)
	inside := 0.0
	if a.IncludePad {
		inside = 1
	}
	padded := &convAttrs{AutoPad: a.AutoPad, Group: 1, Strides: a.Strides, Dilations: a.Dilations, Pads: pads}
	around := b.Ints(border...)
	if begin, end := padded.samePads(b, x, window, k); begin != 0 {
		around, padded.Pads = joined(b, b.Ints(0, 0), begin, b.Ints(0, 0), end), nil
	}
	counted := b.Add(Pad, nil, filled(joined(b, b.Ints(1, 1), shapePart(b, x, 2, 0))), around, b.Scalar(d, inside))
	rest := make([]int, 2*(k+2)) // room for the windows that ceil_mode adds, which counts nothing
	for i := range k {
		rest[k+4+i] = 1
		if len(a.Strides) > 0 {
			rest[k+4+i] = a.Strides[i]
		}
	}
	counted = b.Add(Pad, nil, counted, b.Ints(rest...), b.Scalar(d, 0))
	plain := &convAttrs{AutoPad: "NOTSET", Group: 1, Strides: a.Strides, Dilations: a.Dilations}
	counts := b.Add(Conv, plain, counted, window)
	counts = b.Add(Slice, nil, counts, b.Ints(make([]int, k+2)...), joined(b, b.Ints(1, 1), shapePart(b, dy, 2, 0)))

	dx := b.Add(ConvDX, padded, b.Add(Div, nil, plane(dy), counts), window, plane(x))
	return []graph.Value{inShape(b, dx, b.Add(Shape, nil, x))}, nil
}
