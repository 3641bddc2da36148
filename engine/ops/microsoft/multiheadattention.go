package microsoft

import (
	"errors"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// MultiHeadAttention is attention of queries [B,S,D] over keys and values: [B,T,D] each, or [B,N,T,H] as they are kept of another
// sequence, or keys and values packed as [B,T,N,2,H], or all three as [B,S,N,3,H]. The further outputs are keys and values of all steps,
// [B,N,T,H].
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MultiHeadAttention
var MultiHeadAttention = new(graph.Spec)

type multiHeadAttrs struct {
	Heads  int     `onnx:"num_heads,required"`
	Filter float32 `onnx:"mask_filter_value,default=-10000"`
	Scale  float32 `onnx:"scale,default=0"`
	Causal bool    `onnx:"unidirectional,default=0"`
}

func init() {
	define(MultiHeadAttention, graph.Def[multiHeadAttrs]{
		Name: "MultiHeadAttention", Since: []int{1}, Doc: contrib + "MultiHeadAttention",
		In: []graph.Formal{real("query"), option("key"), option("value"), bias("bias"), whole("key_padding_mask", true, indexes),
			option("attention_bias"), option("past_key"), option("past_value"), whole("past_sequence_length", true, indexes),
			whole("cache_indirection", true, indexes)},
		Out: []graph.Formal{{Name: "output"}, {Name: "present_key", Optional: true}, {Name: "present_value", Optional: true},
			{Name: "qk", Optional: true}},
		Check: func(a *multiHeadAttrs, n *graph.Node) error {
			switch {
			case input(n, 8) != 0 || input(n, 9) != 0:
				return errShared
			case wants(n, 3):
				return errors.New("output qk is not supported: leave it out of the model")
			case input(n, 1) == 0 && input(n, 2) != 0:
				return errors.New("has a value without a key")
			case (input(n, 6) == 0) != (input(n, 7) == 0):
				return errors.New("has one of past_key and past_value without the other")
			}
			return headCount("num_heads", a.Heads)
		},
		Lower: lowerMultiHead,
	})
}

func lowerMultiHead(a *multiHeadAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	var q, k, v graph.Value
	unpack := func(x graph.Value, i, parts int) graph.Value { // [B,T,N,parts,H]
		return transpose(b, squeeze(b, equalParts(b, x, 3, parts)[i], 3), 0, 2, 1, 3)
	}
	switch {
	case input(n, 1) == 0:
		q, k, v = unpack(n.In[0], 0, 3), unpack(n.In[0], 1, 3), unpack(n.In[0], 2, 3)
	case input(n, 2) == 0:
		q, k, v = queries(b, n.In[0], a.Heads), unpack(n.In[1], 0, 2), unpack(n.In[1], 1, 2)
	default:
		q, k, v = queries(b, n.In[0], a.Heads), heads(b, n.In[1], a.Heads), heads(b, n.In[2], a.Heads)
	}
	if bias := input(n, 3); bias != 0 {
		// Keys and values that are kept as [B,N,T,H] have theirs already.
		width := func(x graph.Value) graph.Value { return times(b, b.Ints(a.Heads), extent(b, x, -1)) }
		part := split(b, bias, 0, 3, concat(b, 0, width(q), width(k), width(v)))
		each := func(x, part graph.Value) graph.Value {
			return reshape(b, part, b.Ints(a.Heads, 1), extent(b, x, -1))
		}
		plain := func(x graph.Value, i int) graph.Value {
			p := each(x, part[i])
			if input(n, i) != 0 {
				p = mul(b, p, cast(b, b.Add(ops.Not, nil, hasRank(b, n.In[i], 4)), b.DType(p)))
			}
			return add(b, x, p)
		}
		q, k, v = add(b, q, each(q, part[0])), plain(k, 1), plain(v, 2)
	}
	if past := input(n, 6); past != 0 {
		k, v = concat(b, 2, past, k), concat(b, 2, n.In[7], v)
	}
	batch, rows, keys := extents(b, q, 0, 1), extents(b, q, 2, 3), extents(b, k, 2, 3)
	s := scores{scale: a.Scale, n: a.Heads, kv: a.Heads, plus: []graph.Value{input(n, 5)}}
	if mask := input(n, 4); mask != 0 {
		s.plus = append(s.plus, padding(b, mask, batch, keys, a.Filter, b.DType(q)))
	}
	if a.Causal {
		s.keep = causal(b, rows, keys)
	}
	return []graph.Value{joined(b, s.attend(b, q, k, v)), k, v, 0}, nil
}

// queries is x [B,S,n·H] as [B,n,S,H].
func queries(b *graph.Builder, x graph.Value, n int) graph.Value {
	size := over(b, extents(b, x, 2, 3), b.Ints(n))
	return transpose(b, reshape(b, x, extents(b, x, 0, 2), b.Ints(n), size), 0, 2, 1, 3)
}
