package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// mostExtent is more than any axis has.
const mostExtent = min(1<<40, math.MaxInt)

// Lowerings that need extents take them from the tensors themselves, by nodes that are computed while planning.

// extent is that of axis i of x, counted from the end when negative, as a vector of one.
func extent(b *graph.Builder, x graph.Value, i int) graph.Value {
	a := &shapeAttrs{Start: i}
	if i != -1 {
		a.End = new(i + 1)
	}
	return b.Add(Shape, a, x)
}

// extents are those of x from axis lo up to axis hi.
func extents(b *graph.Builder, x graph.Value, lo, hi int) graph.Value {
	return b.Add(Shape, &shapeAttrs{Start: lo, End: &hi}, x)
}

// shaped is x in the shape that parts make one after another. An extent of 0 is one.
func shaped(b *graph.Builder, x graph.Value, parts ...graph.Value) graph.Value {
	return b.Add(Reshape, &reshapeAttrs{AllowZero: true}, x, b.Add(Concat, &concatAttrs{}, parts...))
}

// upTo are the numbers from 0 up to n, a vector of one, as a vector.
func upTo(b *graph.Builder, n graph.Value) graph.Value {
	return b.Add(Range, nil, b.Const(tensor.Scalar(int64(0))), b.Add(Squeeze, nil, n, b.Ints(0)), b.Const(tensor.Scalar(int64(1))))
}

// splitHeads takes x [N,S,heads·D] apart: [N,heads,S,D].
func splitHeads(b *graph.Builder, x graph.Value, heads int) graph.Value {
	h := b.Ints(heads)
	y := shaped(b, x, extents(b, x, 0, 2), h, div(b, b.Add(Shape, &shapeAttrs{Start: 2}, x), h))
	return b.Add(Transpose, Perm(0, 2, 1, 3), y)
}

// joinHeads is the inverse: x [N,heads,S,D] as [N,S,heads·D].
func joinHeads(b *graph.Builder, x graph.Value) graph.Value {
	y := b.Add(Transpose, Perm(0, 2, 1, 3), x)
	return shaped(b, y, extents(b, y, 0, 2), mul(b, extent(b, y, 2), extent(b, y, 3)))
}

// intOnes are integer ones in a shape.
func intOnes(b *graph.Builder, shape graph.Value) graph.Value {
	return b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: tensor.From([]int64{1}, 1)}, shape)
}
