package microsoft

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// RotaryEmbedding turns pairs of numbers of each head by angles that depend on the position: input is [B,S,N·H] or [B,N,S,H], the pairs are
// those that are H/2 apart or, interleaved, neighbours. Positions are [B,S], or one number, the position of the first step.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.RotaryEmbedding. Deviation: scale is
// ignored, as ONNX Runtime does.
var RotaryEmbedding = new(graph.Spec)

type rotaryAttrs struct {
	Interleaved bool    `onnx:"interleaved,default=0"`
	Packed      bool    `onnx:"is_packed_batching,default=0"`
	Heads       int     `onnx:"num_heads,default=0"`
	Dim         int     `onnx:"rotary_embedding_dim,default=0"`
	Scale       float32 `onnx:"scale,default=1"`
}

func init() {
	define(RotaryEmbedding, graph.Def[rotaryAttrs]{
		Name: "RotaryEmbedding", Since: []int{1}, Doc: contrib + "RotaryEmbedding",
		In: []graph.Formal{real("input"), whole("position_ids", false, int64s), {Name: "cos_cache", Types: floats, NoGrad: true},
			{Name: "sin_cache", Types: floats, NoGrad: true}},
		Out: []graph.Formal{{Name: "output"}},
		Check: func(a *rotaryAttrs, _ *graph.Node) error {
			switch {
			case a.Packed:
				return errors.New("attribute is_packed_batching is not supported")
			case a.Dim < 0 || a.Dim%2 != 0:
				return fmt.Errorf("attribute rotary_embedding_dim is %d, want an even number", a.Dim)
			case a.Dim > 0:
				return headCount("num_heads", a.Heads)
			}
			return nil
		},
		Lower: lowerRotary,
	})
}

func lowerRotary(a *rotaryAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	x, pos := n.In[0], n.In[1]
	three, one := hasRank(b, x, 3), b.Ints(1)
	d0, d1, d2, last := extents(b, x, 0, 1), extents(b, x, 1, 2), extents(b, x, 2, 3), extent(b, x, -1)
	half := extent(b, n.In[2], -1)
	size := times(b, half, b.Ints(2))
	if a.Dim > 0 {
		size = over(b, last, b.Ints(a.Heads))
	}
	size = choose(b, three, size, last)
	steps := choose(b, three, d1, d2)
	// One position is that of the first step.
	single := hasRank(b, pos, 1)
	pos = reshape(b, pos, choose(b, single, b.Ints(1, 1), concat(b, 0, d0, steps)))
	pos = add(b, pos, mul(b, count(b, steps), cast(b, single, tensor.Int64)))
	turn := func(cache graph.Value) graph.Value { // along the steps, which are axis 1 or 2
		t := b.Add(ops.Gather, nil, cache, pos)
		return reshape(b, t, extents(b, t, 0, 1), choose(b, three, concat(b, 0, steps, one), concat(b, 0, one, steps)), half)
	}
	x4 := reshape(b, x, d0, d1, choose(b, three, over(b, last, atLeast(b, size, 1)), d2), size)
	y := rotated(b, x4, turn(n.In[2]), turn(n.In[3]), a.Interleaved, a.Dim > 0)
	return []graph.Value{reshape(b, y, b.Add(ops.Shape, nil, x))}, nil
}

// rotated turns the pairs of the last axis of x by angles with those cosines and sines, half as many, which broadcast over the other axes.
// With rest there may be numbers behind the pairs, which stay.
func rotated(b *graph.Builder, x, cos, sin graph.Value, interleaved, rest bool) graph.Value {
	half := extent(b, cos, -1)
	pairs := times(b, half, b.Ints(2))
	var tail graph.Value
	if rest {
		part := split(b, x, -1, 2, concat(b, 0, pairs, sub(b, extent(b, x, -1), pairs)))
		x, tail = part[0], part[1]
	}
	whole := b.Add(ops.Shape, nil, x)
	var part []graph.Value
	if interleaved {
		part = equalParts(b, reshape(b, x, extents(b, x, 0, -1), half, b.Ints(2)), -1, 2)
		cos, sin = unsqueeze(b, cos, -1), unsqueeze(b, sin, -1)
	} else {
		part = equalParts(b, x, -1, 2)
	}
	x1, x2 := part[0], part[1]
	y := concat(b, -1, sub(b, mul(b, x1, cos), mul(b, x2, sin)), add(b, mul(b, x2, cos), mul(b, x1, sin)))
	if interleaved {
		y = reshape(b, y, whole)
	}
	if rest {
		y = concat(b, -1, y, tail)
	}
	return y
}
