package microsoft

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// EmbedLayerNormalization is the LayerNormalization of the sum of the embeddings of words [B,S], of positions and, where there are any, of
// segments. Positions are 0, 1, … unless they are given. The second output is how many ones the mask has in each row, zeros without a
// mask; the third the sum.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.EmbedLayerNormalization
var EmbedLayerNormalization = new(graph.Spec)

type embedLayerNormAttrs struct {
	Epsilon  float32 `onnx:"epsilon,default=1e-12"`
	MaskType int     `onnx:"mask_index_type,default=0"`
}

func init() {
	define(EmbedLayerNormalization, graph.Def[embedLayerNormAttrs]{
		Name: "EmbedLayerNormalization", Since: []int{1}, Doc: contrib + "EmbedLayerNormalization",
		In: []graph.Formal{whole("input_ids", false, indexes), whole("segment_ids", true, indexes), weight("word_embedding"),
			weight("position_embedding"), bias("segment_embedding"), weight("gamma"), weight("beta"), whole("mask", true, indexes),
			whole("position_ids", true, indexes)},
		Out: []graph.Formal{{Name: "output"}, {Name: "mask_index", Optional: true}, {Name: "embedding_sum", Optional: true}},
		Types: func(_ *embedLayerNormAttrs, in, out []tensor.DType) error {
			for i := range out {
				out[i] = in[2]
			}
			if len(out) > 1 {
				out[1] = tensor.Int32
			}
			return nil
		},
		Check: func(a *embedLayerNormAttrs, n *graph.Node) error {
			switch {
			case a.MaskType != 0 && a.MaskType != 1:
				return fmt.Errorf("attribute mask_index_type is %d, want 0 or 1", a.MaskType)
			case (input(n, 1) == 0) != (input(n, 4) == 0):
				return errors.New("has one of segment_ids and segment_embedding without the other")
			}
			return nil
		},
		Lower: lowerEmbedLayerNorm,
	})
}

func lowerEmbedLayerNorm(a *embedLayerNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	ids := n.In[0]
	batch, steps := extents(b, ids, 0, 1), extents(b, ids, 1, 2)
	places := input(n, 8)
	if places == 0 {
		places = count(b, steps)
	}
	x := add(b, b.Add(ops.Gather, nil, n.In[2], ids), b.Add(ops.Gather, nil, n.In[3], places))
	if input(n, 1) != 0 {
		x = add(b, x, b.Add(ops.Gather, nil, n.In[4], n.In[1]))
	}
	y := layerNorm(b, x, n.In[5], n.In[6], -1, a.Epsilon, false, false)
	if y == nil {
		return nil, b.Err()
	}
	out := []graph.Value{y[0], 0, x}
	if wants(n, 1) {
		one := b.Ints(1)
		ones := b.Const(tensor.New(tensor.Int64, 1, 1))
		if mask := input(n, 7); mask != 0 {
			ones = cast(b, b.Add(ops.Equal, nil, whole64(b, mask), one), tensor.Int64)
		} else {
			ones = b.Add(ops.Expand, nil, ones, concat(b, 0, batch, one))
		}
		out[1] = cast(b, node(b, ops.ReduceSum, graph.Attrs{"keepdims": int64(0)}, ones, one), tensor.Int32)
	}
	return out, nil
}
