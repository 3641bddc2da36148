package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Attention is softmax(softcap(scale·Q·Kᵀ) + mask)·V for Q [N,Hq,S,D], K [N,H,T,D] and V [N,H,T,E], each head of K and V shared by Hq/H
// heads of Q; or for [N,S,Hq·D], [N,T,H·D], [N,T,H·E] with the numbers of heads as attributes. past_key and past_value come before K and V.
// A mask of booleans says what takes part, one of numbers is added; one that is shorter than T is padded with -∞. With is_causal, row i
// attends to what comes before it and itself: to column j ≤ i + P, with P what was past, or nonpad_kv_seqlen - S for each example.
//
// Source: https://onnx.ai/onnx/operators/onnx__Attention.html. Deviations: softmax_precision makes the softmax finer, never coarser; scale
// is applied to Q as a whole, not its root to Q and K.
var Attention = new(graph.Spec)

type attentionAttrs struct {
	Causal    bool     `onnx:"is_causal,default=0"`
	KVHeads   int      `onnx:"kv_num_heads,default=0"`
	QHeads    int      `onnx:"q_num_heads,default=0"`
	Mode      int      `onnx:"qk_matmul_output_mode,default=0"`
	Scale     *float32 `onnx:"scale"`
	Softcap   float32  `onnx:"softcap,default=0"`
	Precision int      `onnx:"softmax_precision,default=0"`
}

func init() {
	in := []graph.Formal{
		{Name: "Q", Types: floats}, {Name: "K", Types: floats}, {Name: "V", Types: floats},
		{Name: "attn_mask", Optional: true}, {Name: "past_key", Types: floats, Optional: true},
		{Name: "past_value", Types: floats, Optional: true},
	}
	def := graph.Def[attentionAttrs]{
		Name: "Attention", Since: []int{23}, Doc: "https://onnx.ai/onnx/operators/onnx__Attention.html",
		In: in,
		Out: []graph.Formal{{Name: "Y"}, {Name: "present_key", Optional: true}, {Name: "present_value", Optional: true},
			{Name: "qk_matmul_output", Optional: true}},
		Types: func(_ *attentionAttrs, in, out []tensor.DType) error {
			for i := range out {
				out[i] = in[0]
			}
			if len(out) > 2 {
				out[2] = in[2]
			}
			return nil
		},
		Lower: lowerAttention,
	}
	define(Attention, def)
	def.Since = []int{24}
	def.In = append(in[:len(in):len(in)], graph.Formal{Name: "nonpad_kv_seqlen", Types: int64s, Optional: true, NoGrad: true})
	define(new(graph.Spec), def)
}

func lowerAttention(a *attentionAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	switch {
	case (a.QHeads == 0) != (a.KVHeads == 0):
		return nil, fmt.Errorf("q_num_heads is %d and kv_num_heads %d: give both, for inputs of three axes, or none", a.QHeads, a.KVHeads)
	case a.QHeads < 0 || a.KVHeads < 0 || a.KVHeads > 0 && a.QHeads%a.KVHeads != 0:
		return nil, fmt.Errorf("q_num_heads is %d, want a multiple of kv_num_heads, %d", a.QHeads, a.KVHeads)
	case a.Mode < 0 || a.Mode > 3:
		return nil, fmt.Errorf("qk_matmul_output_mode is %d, want 0 to 3", a.Mode)
	case a.Softcap < 0:
		return nil, fmt.Errorf("softcap is %g, want a positive number, or 0 for none", a.Softcap)
	}
	q, k, v := n.In[0], n.In[1], n.In[2]
	if a.QHeads > 0 {
		q, k, v = splitHeads(b, q, a.QHeads), splitHeads(b, k, a.KVHeads), splitHeads(b, v, a.KVHeads)
	}
	if past := input(n, 4); past != 0 {
		k = b.Add(Concat, &concatAttrs{Axis: 2}, past, k)
	}
	if past := input(n, 5); past != 0 {
		v = b.Add(Concat, &concatAttrs{Axis: 2}, past, v)
	}
	out := []graph.Value{0, k, v, 0}
	one := a.QHeads > 0 && a.QHeads == a.KVHeads // head of K for each head of Q
	scores := attentionScores(a, b, q, k, one)
	out[3] = scores
	if a.Softcap > 0 {
		scores = scale(b, b.Add(Tanh, nil, scale(b, scores, 1/float64(a.Softcap))), float64(a.Softcap))
	}
	if a.Mode == 1 {
		out[3] = scores
	}
	scores = attentionMask(a, b, n, q, k, scores)
	if a.Mode == 2 {
		out[3] = scores
	}
	fine := b.DType(scores)
	if tensor.DType(a.Precision) == tensor.Float64 {
		scores = b.Add(Cast, CastTo(tensor.Float64), scores)
	}
	probs := castTo(b, b.Add(Softmax, AlongAxis(-1), scores), fine)
	if a.Mode == 3 {
		out[3] = probs
	}
	y := castTo(b, attended(b, castTo(b, probs, b.DType(v)), v, one), b.DType(q))
	if a.QHeads > 0 {
		y = joinHeads(b, y)
	}
	out[0] = y
	return out, nil
}

// attentionScores is scale·Q·Kᵀ, [N,Hq,S,T]. Heads of Q that share one of K stand under each other in one product.
func attentionScores(a *attentionAttrs, b *graph.Builder, q, k graph.Value, one bool) graph.Value {
	if a.Scale != nil {
		q = scale(b, q, float64(*a.Scale))
	} else {
		q = mul(b, q, b.Add(Reciprocal, nil, b.Add(Sqrt, nil, b.Add(Cast, CastTo(b.DType(q)), extent(b, q, 3)))))
	}
	kT := b.Add(Transpose, Perm(0, 1, 3, 2), k)
	if one {
		return b.Add(MatMul, nil, q, kT)
	}
	s := b.Add(MatMul, nil, grouped(b, q, k), kT)
	return shaped(b, s, extents(b, q, 0, 3), extent(b, s, 3))
}

// attended is probs [N,Hq,S,T] times V [N,H,T,E].
func attended(b *graph.Builder, probs, v graph.Value, one bool) graph.Value {
	if one {
		return b.Add(MatMul, nil, probs, v)
	}
	y := b.Add(MatMul, nil, grouped(b, probs, v), v)
	return shaped(b, y, extents(b, probs, 0, 3), extent(b, y, 3))
}

// grouped is x [N,Hq,S,D] as [N,H,Hq/H·S,D], H being the heads of kv.
func grouped(b *graph.Builder, x, kv graph.Value) graph.Value {
	h := extent(b, kv, 1)
	rows := mul(b, div(b, extent(b, x, 1), h), extent(b, x, 2))
	return shaped(b, x, extent(b, x, 0), h, rows, extent(b, x, 3))
}

// attentionMask is scores [N,Hq,S,T] with all that hides columns from rows.
func attentionMask(a *attentionAttrs, b *graph.Builder, n *graph.Node, q, k, scores graph.Value) graph.Value {
	d := b.DType(scores)
	none := b.Scalar(d, math.Inf(-1))
	s, t := extent(b, q, 2), extent(b, k, 2)
	var seen graph.Value // what is attended to
	and := func(m graph.Value) {
		if seen != 0 {
			m = b.Add(And, nil, seen, m)
		}
		seen = m
	}
	if mask := input(n, 3); mask != 0 {
		padded := len(n.Op.In) > 6 // since version 24
		if b.DType(mask) == tensor.Bool {
			if padded {
				mask = padMask(b, mask, t, b.Const(tensor.Scalar(false)))
			}
			and(mask)
		} else {
			mask = castTo(b, mask, d)
			if padded {
				mask = padMask(b, mask, t, none)
			}
			scores = add(b, scores, mask)
		}
	}
	length := input(n, 6)
	if length != 0 {
		length = b.Add(Unsqueeze, nil, length, b.Ints(1, 2, 3)) // [N,1,1,1]
		and(b.Add(Less, nil, upTo(b, t), length))
	}
	if a.Causal {
		last := b.Add(Unsqueeze, nil, upTo(b, s), b.Ints(1)) // the column that is the last for each row, [S,1]
		switch past := input(n, 4); {
		case past != 0:
			last = add(b, last, extent(b, past, 2))
		case length != 0:
			last = add(b, last, sub(b, length, s))
		}
		and(b.Add(LessOrEqual, nil, upTo(b, t), last))
	}
	if seen == 0 {
		return scores
	}
	return b.Add(Where, nil, seen, scores, none)
}

// padMask pads the last axis of a mask to t.
func padMask(b *graph.Builder, mask, t, with graph.Value) graph.Value {
	missing := b.Add(Max, nil, sub(b, t, extent(b, mask, -1)), b.Ints(0))
	return b.Add(Pad, nil, mask, b.Add(Concat, &concatAttrs{}, b.Ints(0), missing), with, b.Ints(-1))
}

// castTo is x in type d.
func castTo(b *graph.Builder, x graph.Value, d tensor.DType) graph.Value {
	if b.DType(x) == d {
		return x
	}
	return b.Add(Cast, CastTo(d), x)
}
