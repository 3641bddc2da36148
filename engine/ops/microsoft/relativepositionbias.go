package microsoft

import (
	"errors"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// RelativePositionBias is the bias [1,N,S,T] of attention by how far keys are from queries, as in T5: a row of the table [K,N] for each
// bucket of distances, of which the near ones have one each and the others, up to max_distance, share them on a logarithmic scale.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.RelativePositionBias
var RelativePositionBias = new(graph.Spec)

type relativeBiasAttrs struct {
	Farthest int  `onnx:"max_distance,required"`
	Both     bool `onnx:"is_bidirectional,default=0"`
}

func init() {
	define(RelativePositionBias, graph.Def[relativeBiasAttrs]{
		Name: "RelativePositionBias", Since: []int{1}, Doc: contrib + "RelativePositionBias",
		In:  []graph.Formal{weight("bias_table"), whole("query_length", false, int64s), whole("key_length", false, int64s)},
		Out: []graph.Formal{{Name: "output"}},
		Check: func(a *relativeBiasAttrs, n *graph.Node) error {
			if a.Farthest < 1 {
				return errors.New("attribute max_distance is not positive")
			}
			return nil
		},
		Lower: lowerRelativeBias,
	})
}

func lowerRelativeBias(a *relativeBiasAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	table := n.In[0]
	one, two := b.Ints(1), b.Ints(2)
	buckets := extents(b, table, 0, 1)
	rows, keys := reshape(b, n.In[1], one), reshape(b, n.In[2], one)
	far := sub(b, count(b, keys), unsqueeze(b, count(b, rows), 1)) // [S,T]: how far a key is behind the query
	zero := b.Ints(0)
	offset := zero
	if a.Both {
		buckets = over(b, buckets, two)
		offset = choose(b, b.Add(ops.Greater, nil, far, zero), buckets, zero)
		far = b.Add(ops.Abs, nil, far)
	} else {
		far = b.Add(ops.Max, nil, b.Add(ops.Neg, nil, far), zero)
	}
	near := over(b, buckets, two)
	real := func(v graph.Value) graph.Value { return cast(b, v, tensor.Float32) }
	log := func(v graph.Value) graph.Value { return b.Add(ops.Log, nil, v) }
	ratio := func(v graph.Value) graph.Value { return log(b.Add(ops.Div, nil, v, real(near))) }
	// At least near, so that the logarithm is one of a number that is not below 1.
	scale := b.Add(ops.Div, nil, ratio(real(b.Add(ops.Max, nil, far, near))), ratio(b.Scalar(tensor.Float32, float64(a.Farthest))))
	shared := add(b, near, cast(b, mul(b, scale, real(sub(b, buckets, near))), tensor.Int64))
	shared = b.Add(ops.Min, nil, shared, sub(b, buckets, one))
	bucket := add(b, offset, choose(b, b.Add(ops.Less, nil, far, near), far, shared))
	return []graph.Value{unsqueeze(b, transpose(b, b.Add(ops.Gather, nil, table, bucket), 2, 0, 1), 0)}, nil
}
