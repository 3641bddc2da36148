package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// RotaryEmbedding turns pairs of numbers of X [N,heads,S,D], or [N,S,heads·D] with num_heads, by angles whose cosines and sines are
// cos_cache and sin_cache: [P,R/2], of which position_ids [N,S] takes rows, or [N,S,R/2] without. Of the R = rotary_embedding_dim (or D)
// first numbers of each head, i goes with i + R/2, with interleaved its neighbour. The others stay.
//
// Source: https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
var RotaryEmbedding = new(graph.Spec)

type rotaryAttrs struct {
	Interleaved bool `onnx:"interleaved,default=0"`
	Heads       int  `onnx:"num_heads,default=0"`
	Dim         int  `onnx:"rotary_embedding_dim,default=0"`
}

func init() {
	define(RotaryEmbedding, graph.Def[rotaryAttrs]{
		Name: "RotaryEmbedding", Since: []int{23}, Doc: "https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html",
		In: []graph.Formal{
			{Name: "X", Types: floats}, {Name: "cos_cache", Types: floats}, {Name: "sin_cache", Types: floats},
			{Name: "position_ids", Types: int64s, Optional: true, NoGrad: true},
		},
		Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *rotaryAttrs, _ *graph.Node) error {
			if a.Heads < 0 || a.Dim < 0 || a.Dim%2 != 0 {
				return fmt.Errorf("num_heads is %d and rotary_embedding_dim %d: want numbers from 0, the second even", a.Heads, a.Dim)
			}
			return nil
		},
		Lower: lowerRotary,
	})
}

func lowerRotary(a *rotaryAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	x, heads := n.In[0], 1 // the axis of the heads
	three := a.Heads > 0 && rankOf(b, x) != 4
	if three {
		h := b.Ints(a.Heads)
		x = shaped(b, x, extents(b, x, 0, 2), h, div(b, b.Add(Shape, &shapeAttrs{Start: 2}, x), h))
		heads = 2
	}
	angle := func(table graph.Value) graph.Value {
		if ids := input(n, 3); ids != 0 {
			table = b.Add(Gather, nil, table, ids)
		}
		return b.Add(Unsqueeze, nil, table, b.Ints(heads))
	}
	cos, sin := angle(n.In[1]), angle(n.In[2])
	from := func(lo, hi graph.Value, step int) graph.Value {
		return b.Add(Slice, nil, x, lo, hi, b.Ints(3), b.Ints(step))
	}
	r := b.Ints(a.Dim)
	if a.Dim == 0 {
		r = extent(b, x, 3)
	}
	half := div(b, r, b.Ints(2))
	var re, im graph.Value
	if a.Interleaved {
		re, im = from(b.Ints(0), r, 2), from(b.Ints(1), r, 2)
	} else {
		re, im = from(b.Ints(0), half, 1), from(half, r, 1)
	}
	parts := []graph.Value{sub(b, mul(b, cos, re), mul(b, sin, im)), add(b, mul(b, sin, re), mul(b, cos, im))}
	if a.Interleaved {
		for i, p := range parts {
			parts[i] = b.Add(Unsqueeze, nil, p, b.Ints(4))
		}
		y := b.Add(Concat, &concatAttrs{Axis: 4}, parts...)
		parts = []graph.Value{shaped(b, y, extents(b, x, 0, 3), r)}
	}
	if a.Dim > 0 {
		parts = append(parts, from(r, extent(b, x, 3), 1))
	}
	y := b.Add(Concat, &concatAttrs{Axis: 3}, parts...)
	if three {
		y = b.Add(ReshapeLike, nil, y, n.In[0])
	}
	return []graph.Value{y}, nil
}
