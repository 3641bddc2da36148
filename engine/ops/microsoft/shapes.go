package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Operators of this domain take inputs of different ranks, and mean another thing by each. Which one an input has is known before the run
// for inputs of the model and constants; of others a lowering asks the Shape, so that it is known when a run is planned.

// hasRank is the vector of one bool that tells whether v has rank r.
func hasRank(b *graph.Builder, v graph.Value, r int) graph.Value {
	if known := rankOf(b, v); known >= 0 {
		return b.Const(tensor.From([]bool{known == r}, 1))
	}
	return b.Add(ops.Equal, nil, b.Add(ops.Shape, nil, b.Add(ops.Shape, nil, v)), b.Ints(r))
}

// choose is x where the condition holds, else y.
func choose(b *graph.Builder, cond, x, y graph.Value) graph.Value {
	return b.Add(ops.Where, nil, cond, x, y)
}

// over is the quotient of two vectors of extents, times their product.
func over(b *graph.Builder, x, y graph.Value) graph.Value  { return b.Add(ops.Div, nil, x, y) }
func times(b *graph.Builder, x, y graph.Value) graph.Value { return mul(b, x, y) }

// atLeast is x, or k where that is more.
func atLeast(b *graph.Builder, x graph.Value, k int) graph.Value {
	return b.Add(ops.Max, nil, x, b.Ints(k))
}

// heads is x, [B,T,n·H] or, where models keep keys so, [B,n,T,H], as [B,n,T,H].
func heads(b *graph.Builder, x graph.Value, n int) graph.Value {
	r := rankOf(b, x)
	if r == 4 {
		return x
	}
	batch, last := extents(b, x, 0, 1), extent(b, x, -1)
	d1, num := extents(b, x, 1, 2), b.Ints(n)
	if r == 3 {
		return transpose(b, reshape(b, x, batch, d1, num, over(b, last, num)), 0, 2, 1, 3)
	}
	// Of four axes, the second and third are one while those of three are exchanged.
	three, d2, one := hasRank(b, x, 3), extents(b, x, 2, 3), b.Ints(1)
	steps, size := choose(b, three, d1, d2), choose(b, three, over(b, last, num), last)
	split := choose(b, three, concat(b, 0, batch, steps, num, size), concat(b, 0, batch, one, times(b, num, steps), size))
	return reshape(b, transpose(b, reshape(b, x, split), 0, 2, 1, 3), batch, num, steps, size)
}

// joined is [B,n,T,H] as [B,T,n·H].
func joined(b *graph.Builder, x graph.Value) graph.Value {
	batch, steps := extents(b, x, 0, 1), extents(b, x, 2, 3)
	width := times(b, extents(b, x, 1, 2), extent(b, x, -1))
	return reshape(b, transpose(b, x, 0, 2, 1, 3), batch, steps, width)
}

// unsqueeze and squeeze add and take away axes of one.
func unsqueeze(b *graph.Builder, x graph.Value, axes ...int) graph.Value {
	return b.Add(ops.Unsqueeze, nil, x, b.Ints(axes...))
}
func squeeze(b *graph.Builder, x graph.Value, axes ...int) graph.Value {
	return b.Add(ops.Squeeze, nil, x, b.Ints(axes...))
}

// whole64 is x, of integers, as int64.
func whole64(b *graph.Builder, x graph.Value) graph.Value { return cast(b, x, tensor.Int64) }
