package microsoft

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// GroupQueryAttention is causal attention in which several heads of queries [B,S,N·H] share one of keys and values [B,S,K·H]; or query
// has all three, [B,S,(N+2K)·H]. seqlens_k is one less than the number of steps that each example has with these. The past [B,K,P,H] begins
// at the start of its buffer and is as long as they say, and so is the present, the other outputs.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GroupQueryAttention
var GroupQueryAttention = new(graph.Spec)

type groupQueryAttrs struct {
	Heads       int     `onnx:"num_heads,required"`
	KV          int     `onnx:"kv_num_heads,required"`
	Scale       float32 `onnx:"scale,default=0"`
	Softcap     float32 `onnx:"softcap,default=0"`
	Window      int     `onnx:"local_window_size,default=-1"`
	Rotary      bool    `onnx:"do_rotary,default=0"`
	Interleaved bool    `onnx:"rotary_interleaved,default=0"`
	Smooth      bool    `onnx:"smooth_softmax,default=0"`
	QK          *int    `onnx:"qk_output"`
	KQuant      string  `onnx:"k_quant_type,default=NONE"`
	VQuant      string  `onnx:"v_quant_type,default=NONE"`
	Bits        *int    `onnx:"kv_cache_bit_width"`
}

func init() {
	define(GroupQueryAttention, graph.Def[groupQueryAttrs]{
		Name: "GroupQueryAttention", Since: []int{1}, Doc: contrib + "GroupQueryAttention",
		In: []graph.Formal{real("query"), option("key"), option("value"), option("past_key"), option("past_value"),
			whole("seqlens_k", false, indexes), whole("total_sequence_length", false, indexes),
			{Name: "cos_cache", Types: floats, Optional: true, NoGrad: true}, {Name: "sin_cache", Types: floats, Optional: true, NoGrad: true},
			whole("position_ids", true, int64s), option("attention_bias"), bias("head_sink"),
			{Name: "k_scale", Optional: true, NoGrad: true}, {Name: "v_scale", Optional: true, NoGrad: true}},
		Out: []graph.Formal{{Name: "output"}, {Name: "present_key", Optional: true}, {Name: "present_value", Optional: true},
			{Name: "output_qk", Optional: true}},
		Check: checkGroupQuery, Lower: lowerGroupQuery,
	})
}

func checkGroupQuery(a *groupQueryAttrs, n *graph.Node) error {
	if err := headCount("num_heads", a.Heads); err != nil {
		return err
	}
	if err := headCount("kv_num_heads", a.KV); err != nil {
		return err
	}
	switch {
	case a.Heads%a.KV != 0:
		return fmt.Errorf("num_heads is %d, no multiple of kv_num_heads, which is %d", a.Heads, a.KV)
	case a.KQuant != "NONE" || a.VQuant != "NONE" || input(n, 12) != 0 || input(n, 13) != 0:
		return errors.New("quantised keys and values are not supported")
	case a.QK != nil && *a.QK != 0 || wants(n, 3):
		return errors.New("output output_qk is not supported: leave it out of the model, and the attribute qk_output")
	case (input(n, 1) == 0) != (input(n, 2) == 0):
		return errors.New("has one of key and value without the other")
	case (input(n, 3) == 0) != (input(n, 4) == 0):
		return errors.New("has one of past_key and past_value without the other")
	case a.Rotary && (input(n, 7) == 0 || input(n, 8) == 0):
		return errors.New("do_rotary needs cos_cache and sin_cache")
	}
	return nil
}

func lowerGroupQuery(a *groupQueryAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	x := n.In[0]
	batch, rows := extents(b, x, 0, 1), extents(b, x, 1, 2)
	part := []graph.Value{x, input(n, 1), input(n, 2)}
	if part[1] == 0 {
		size := over(b, extents(b, x, 2, 3), b.Ints(a.Heads+2*a.KV))
		part = split(b, x, 2, 3, times(b, size, b.Ints(a.Heads, a.KV, a.KV)))
	}
	q, k, v := queries(b, part[0], a.Heads), queries(b, part[1], a.KV), queries(b, part[2], a.KV)

	// Where each example's steps begin, [B,1], and where they are, [B,S].
	begin := b.Ints(0)
	if input(n, 3) != 0 {
		steps := reshape(b, whole64(b, n.In[5]), batch, b.Ints(1))
		begin = atLeast(b, sub(b, add(b, steps, b.Ints(1)), rows), 0)
	}
	at, total := add(b, begin, count(b, rows)), reshape(b, whole64(b, n.In[6]), b.Ints(1))
	if a.Rotary {
		pos := at
		if given := input(n, 9); given != 0 { // of a first prompt ONNX Runtime reads but the first
			first := slice(b, view(b, given, -1), b.Ints(0), b.Ints(1), 0)
			pos = choose(b, b.Add(ops.Equal, nil, rows, total), add(b, first, count(b, rows)), given)
		}
		turn := func(cache graph.Value) graph.Value { // [B,1,S,half] or [1,S,half]
			t := b.Add(ops.Gather, nil, cache, pos)
			return reshape(b, t, b.Ints(-1, 1), rows, extent(b, t, -1))
		}
		cos, sin := turn(n.In[7]), turn(n.In[8])
		q, k = rotated(b, q, cos, sin, a.Interleaved, true), rotated(b, k, cos, sin, a.Interleaved, true)
	}
	if past := input(n, 3); past != 0 {
		k, v = appended(b, past, k, begin, total), appended(b, n.In[4], v, begin, total)
	}
	keys := extents(b, k, 2, 3)
	place, key := unsqueeze(b, at, -1), count(b, keys) // [B,S,1] or [S,1], and [T]
	s := scores{scale: a.Scale, softcap: a.Softcap, n: a.Heads, kv: a.KV, plus: []graph.Value{input(n, 10)}}
	s.keep = b.Add(ops.LessOrEqual, nil, key, place)
	if a.Window > 0 {
		s.keep = b.Add(ops.And, nil, s.keep, b.Add(ops.Greater, nil, key, sub(b, place, b.Ints(a.Window))))
	}
	if input(n, 3) != 0 {
		s.keep = unsqueeze(b, s.keep, 1)
	}
	sink := input(n, 11)
	if sink == 0 && a.Smooth {
		sink = b.Scalar(b.DType(q), 0)
	}
	if sink != 0 {
		if sink == input(n, 11) {
			sink = reshape(b, sink, b.Ints(a.Heads, 1, 1))
		}
		s.sink = b.Add(ops.Expand, nil, sink, concat(b, 0, batch, b.Ints(a.Heads), rows, b.Ints(1)))
	}
	return []graph.Value{joined(b, s.attend(b, q, k, v)), k, v, 0}, nil
}

// appended is the past [B,K,P,H], of each example the first steps, as many as begin [B,1] says, and then x [B,K,S,H]: as long as the past's
// buffer or total, if that is more. What is behind x has no meaning.
func appended(b *graph.Builder, past, x, begin, total graph.Value) graph.Value {
	buffer := extents(b, past, 2, 3)
	both := concat(b, 2, past, x)
	steps := b.Add(ops.Max, nil, buffer, total)
	at := count(b, steps)
	behind := sub(b, add(b, buffer, at), begin)
	behind = b.Add(ops.Min, nil, behind, sub(b, extents(b, both, 2, 3), b.Ints(1)))
	from := choose(b, b.Add(ops.Less, nil, at, begin), at, behind) // [B,T]
	to := concat(b, 0, extents(b, both, 0, 2), steps, extent(b, both, -1))
	from = b.Add(ops.Expand, nil, unsqueeze(b, from, 1, 3), to)
	return node(b, ops.GatherElements, graph.Attrs{"axis": int64(2)}, both, from)
}
