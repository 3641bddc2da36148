package microsoft

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Attention is multi-head attention of an input [B,S,D] with itself and with the past: queries, keys and values are products of the input
// with one weight [D,Q+K+V]. The second output has keys and values of all steps, [2,B,N,T,H].
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Attention
var Attention = new(graph.Spec)

type attentionAttrs struct {
	Heads     int     `onnx:"num_heads,required"`
	Causal    bool    `onnx:"unidirectional,default=0"`
	Sizes     []int   `onnx:"qkv_hidden_sizes"`
	Filter    float32 `onnx:"mask_filter_value,default=-10000"`
	Scale     float32 `onnx:"scale,default=0"`
	DoRotary  bool    `onnx:"do_rotary,default=0"`
	RotaryDim int     `onnx:"rotary_embedding_dim,default=0"`
	Shared    bool    `onnx:"past_present_share_buffer,default=0"`
}

// headCount is the error of a number of heads that there cannot be.
func headCount(name string, n int) error {
	if n < 1 || n > 1<<20 {
		return fmt.Errorf("attribute %s is %d, want 1 or more", name, n)
	}
	return nil
}

// errShared is the error of a past that lies in a buffer for more steps than there are.
var errShared = errors.New("a past in a buffer that the present shares is not supported: export the model without " +
	"past_present_share_buffer and past_sequence_length")

func init() {
	define(Attention, graph.Def[attentionAttrs]{
		Name: "Attention", Since: []int{1}, Doc: contrib + "Attention",
		In: []graph.Formal{real("input"), weight("weights"), bias("bias"), whole("mask_index", true, indexes), option("past"),
			option("attention_bias"), whole("past_sequence_length", true, indexes)},
		Out: []graph.Formal{{Name: "output"}, {Name: "present", Optional: true}},
		Check: func(a *attentionAttrs, n *graph.Node) error {
			switch {
			case a.DoRotary:
				return errors.New("attribute do_rotary is not supported")
			case a.Shared || input(n, 6) != 0:
				return errShared
			case a.Sizes != nil && (len(a.Sizes) != 3 || min(a.Sizes[0], a.Sizes[1], a.Sizes[2]) < 1):
				return fmt.Errorf("attribute qkv_hidden_sizes is %v, want three sizes", a.Sizes)
			}
			return headCount("num_heads", a.Heads)
		},
		Lower: lowerAttention,
	})
}

func lowerAttention(a *attentionAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	x := add(b, matmul(b, n.In[0], n.In[1]), input(n, 2))
	var part []graph.Value
	if a.Sizes != nil {
		part = split(b, x, 2, 3, b.Ints(a.Sizes...))
	} else {
		part = equalParts(b, x, 2, 3)
	}
	for i, p := range part {
		width := over(b, extents(b, p, 2, 3), b.Ints(a.Heads))
		part[i] = transpose(b, reshape(b, p, extents(b, p, 0, 2), b.Ints(a.Heads), width), 0, 2, 1, 3)
	}
	q, k, v := part[0], part[1], part[2]
	if past := input(n, 4); past != 0 {
		both := equalParts(b, past, 0, 2)
		k = concat(b, 2, squeeze(b, both[0], 0), k)
		v = concat(b, 2, squeeze(b, both[1], 0), v)
	}
	batch, rows, keys := extents(b, q, 0, 1), extents(b, q, 2, 3), extents(b, k, 2, 3)
	s := scores{scale: a.Scale, n: a.Heads, kv: a.Heads, plus: []graph.Value{input(n, 5)}}
	if mask := input(n, 3); mask != 0 {
		s.plus = append(s.plus, padding(b, mask, batch, keys, a.Filter, b.DType(q)))
	}
	if a.Causal {
		s.keep = causal(b, rows, keys)
	}
	out := []graph.Value{joined(b, s.attend(b, q, k, v)), 0}
	if wants(n, 1) {
		out[1] = concat(b, 0, unsqueeze(b, k, 0), unsqueeze(b, v, 0))
	}
	return out, nil
}
