package ops_test

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// flags is a mask of booleans.
func flags(shape []int, v ...int) arg {
	b := make([]bool, len(v))
	for i, x := range v {
		b[i] = x != 0
	}
	return given(tensor.From(b, shape...))
}

// idsIn is integers in a shape.
func idsIn(shape []int, v ...int64) arg { return given(tensor.From(v, shape...)) }

// noneOf is zeros, but -Inf from lo to hi.
func noneOf(lo, hi int) generator {
	return func(_ *rng, n int) []float64 {
		x := make([]float64, n)
		for i := lo; i < hi; i++ {
			x[i] = math.Inf(-1)
		}
		return x
	}
}

func init() {
	none := arg{}
	attention := func(name string, in []arg, outs int, kv ...any) {
		register(opCase{op: "Attention", name: name, attrs: is(kv...), in: in, outs: outs, tol: 1e-3})
	}
	// Heads as an axis: q heads, kv heads, rows, columns, extent of a key and of a value.
	four := func(hq, h, s, t, d, e int) []arg { return []arg{x(2, hq, s, d), x(2, h, t, d), x(2, h, t, e)} }
	three := func(hq, h, s, t, d, e int) []arg { return []arg{x(2, s, hq*d), x(2, t, h*d), x(2, t, h*e)} }
	attention("", four(2, 2, 3, 4, 5, 5), 1)
	attention("one of each", four(1, 1, 1, 1, 1, 1), 1)
	attention("groups", four(6, 2, 3, 4, 2, 3), 1)
	attention("multi-query", four(3, 1, 2, 5, 3, 1), 1)
	attention("three axes", three(2, 2, 3, 4, 5, 3), 1, "q_num_heads", 2, "kv_num_heads", 2)
	attention("three axes, groups", three(4, 2, 3, 4, 2, 3), 1, "q_num_heads", 4, "kv_num_heads", 2)
	attention("scale", four(2, 1, 3, 4, 2, 3), 1, "scale", 0.7)
	attention("softcap", four(2, 1, 3, 4, 2, 3), 1, "softcap", 1.5)
	attention("causal", four(2, 1, 4, 4, 2, 3), 1, "is_causal", 1)
	attention("causal, more columns", four(2, 1, 2, 4, 2, 3), 1, "is_causal", 1)
	attention("mask", append(four(2, 1, 3, 4, 2, 3), w(3, 4)), 1)
	attention("mask of a head", append(four(2, 1, 3, 4, 2, 3), w(2, 3, 4)), 1)
	attention("mask of an example", append(four(2, 1, 3, 4, 2, 3), x(2, 1, 3, 4)), 1)
	attention("mask that broadcasts", append(four(2, 1, 3, 4, 2, 3), x(2, 1, 1, 4)), 1)
	attention("mask of booleans", append(four(2, 1, 2, 3, 2, 3), flags([]int{2, 3}, 1, 0, 1, 1, 1, 0)), 1)
	attention("short mask", append(four(2, 1, 3, 4, 2, 3), w(3, 3)), 1)
	attention("short mask of booleans", append(four(2, 1, 2, 3, 2, 3), flags([]int{2, 2}, 1, 0, 1, 1)), 1)
	attention("lengths", append(four(2, 1, 3, 4, 2, 3), none, none, none, ids(2, 4).perRow()), 1)
	attention("lengths, causal", append(four(2, 1, 2, 4, 2, 3), none, none, none, ids(3, 4).perRow()), 1, "is_causal", 1)
	past := []arg{x(2, 1, 2, 2), x(2, 1, 2, 3)}
	attention("past", append(append(four(2, 1, 3, 4, 2, 3), none), past...), 3)
	attention("past, causal, mask", append(append(four(2, 1, 3, 3, 2, 3), w(3, 5)), past...), 3, "is_causal", 1)
	attention("past, three axes", append(append(three(2, 1, 3, 4, 2, 3), none), past...), 3, "q_num_heads", 2, "kv_num_heads", 1)
	attention("scores", append(four(2, 1, 3, 4, 2, 3), w(3, 4)), 4, "softcap", 2.0)
	attention("scores after softcap", append(four(2, 1, 3, 4, 2, 3), w(3, 4)), 4, "softcap", 2.0, "qk_matmul_output_mode", 1)
	attention("scores after mask", append(four(2, 1, 3, 4, 2, 3), w(3, 4)), 4, "softcap", 2.0, "qk_matmul_output_mode", 2)
	attention("probabilities", append(four(2, 1, 3, 4, 2, 3), w(3, 4)), 4, "qk_matmul_output_mode", 3)
	attention("fine", four(2, 1, 3, 4, 2, 3), 1, "softmax_precision", int(tensor.Float64))
	register(
		opCase{op: "Attention", opset: 23, in: four(2, 2, 3, 4, 5, 5), tol: 1e-3},
		opCase{op: "Attention", opset: 23, name: "one column of a mask", in: append(four(2, 1, 3, 4, 2, 3), w(3, 1).noGrad()), tol: 1e-3},
	)

	fused := func(name string, in []arg, outs int, kv ...any) {
		register(opCase{op: "FusedAttention", domain: ops.Private, name: name, attrs: is(kv...), in: in, outs: outs, tol: 1e-3})
	}
	fused("", []arg{x(2, 3, 4), x(2, 4, 5), x(2, 5, 2)}, 1, "alpha", 0.7)
	fused("probabilities", []arg{x(2, 3, 4), x(2, 4, 5), x(2, 5, 2)}, 2, "alpha", 0.7)
	fused("one of each", []arg{x(1, 1, 1), x(1, 1, 1), x(1, 1, 1)}, 1)
	fused("matrices", []arg{w(3, 4), w(4, 5), w(5, 2)}, 1)
	fused("heads", []arg{x(2, 3, 2, 4), x(2, 5, 2, 4), x(2, 5, 2, 3)}, 2, "perm_q", []int64{0, 2, 1, 3}, "perm_k", []int64{0, 2, 3, 1},
		"perm_v", []int64{0, 2, 1, 3}, "perm_o", []int64{0, 2, 1, 3})
	fused("columns first", []arg{x(2, 4, 3), x(2, 4, 5), x(2, 2, 5)}, 1, "perm_q", []int64{0, 2, 1}, "perm_v", []int64{0, 2, 1})
	fused("shared keys", []arg{x(2, 3, 3, 4), x(2, 1, 4, 5), x(2, 1, 5, 2)}, 2)
	fused("fewer axes", []arg{x(2, 3, 3, 4), w(4, 5), w(5, 2)}, 1)
	fused("mask", []arg{x(2, 2, 3, 4), x(2, 2, 4, 5), x(2, 2, 5, 2), x(2, 1, 3, 5).noGrad()}, 1)
	fused("mask of columns", []arg{x(2, 2, 3, 4), x(2, 2, 4, 5), x(2, 2, 5, 2), w(5).noGrad()}, 2, "alpha", 0.5)
	fused("mask of rows", []arg{x(2, 2, 3, 4), x(2, 2, 4, 5), x(2, 2, 5, 2), w(2, 3, 1).noGrad()}, 1)
	fused("no columns", []arg{x(2, 3, 2, 4), x(2, 0, 2, 4), x(2, 0, 2, 3)}, 1, "perm_q", []int64{0, 2, 1, 3}, "perm_k", []int64{0, 2, 3, 1},
		"perm_v", []int64{0, 2, 1, 3})
	fused("no rows", []arg{x(2, 0, 2, 4), x(2, 3, 2, 4), x(2, 3, 2, 3)}, 1, "perm_q", []int64{0, 2, 1, 3}, "perm_k", []int64{0, 2, 3, 1},
		"perm_v", []int64{0, 2, 1, 3}, "perm_o", []int64{0, 2, 1, 3})
	fused("guard", []arg{x(2, 2, 3, 4), x(2, 2, 4, 5), x(2, 2, 5, 2), wg(noneOf(5, 10), 1, 1, 3, 5).noGrad()}, 1, "guard", 1)

	slice := func(name string, in ...arg) {
		register(opCase{op: "SliceGrad", domain: ops.Private, name: name, in: in})
	}
	slice("base", x(2, 2), x(2, 5).noGrad(), ids(1), ids(3), ids(1), none, x(2, 5))
	slice("base, backwards", x(2, 2), x(2, 5).noGrad(), ids(4), ids(0), ids(1), ids(-2), x(2, 5))
	slice("base, rows", x(2, 3, 5), x(2, 4, 5).noGrad(), ids(1), ids(9), ids(1), none, x(2, 4, 5))
	slice("base, nothing", x(2, 0), x(2, 5).noGrad(), ids(2), ids(2), ids(1), none, x(2, 5))

	one := []tensor.DType{tensor.Float32}
	biased := bodyCase{"score_mod", one, func(b *graph.Builder, x, c []graph.Value) []graph.Value {
		return vs(b.Add(ops.Tanh, nil, b.Add(ops.Add, nil, x[0], c[0])))
	}}
	scaled := bodyCase{"prob_mod", one, func(b *graph.Builder, x, c []graph.Value) []graph.Value {
		return vs(b.Add(ops.Mul, nil, x[0], c[0]))
	}}
	flex := func(name string, in, caps []arg, bodies []bodyCase, kv ...any) {
		register(opCase{op: "FlexAttention", domain: "ai.onnx.preview", name: name, attrs: is(kv...), in: in, caps: caps, bodies: bodies,
			tol: 1e-3})
	}
	flex("", four(2, 2, 3, 4, 5, 5), nil, nil)
	flex("groups", four(4, 2, 3, 4, 2, 3), nil, nil, "scale", 0.3)
	flex("scores", four(2, 1, 3, 4, 2, 3), []arg{w(3, 4)}, []bodyCase{biased})
	flex("probabilities", four(2, 1, 3, 4, 2, 3), []arg{w(1, 4)}, []bodyCase{scaled})
	flex("both", four(2, 1, 3, 4, 2, 3), []arg{w(3, 4)}, []bodyCase{biased, scaled})

	rotary := func(name string, in []arg, kv ...any) {
		register(opCase{op: "RotaryEmbedding", name: name, attrs: is(kv...), in: in})
	}
	positions := idsIn([]int{2, 3}, 0, 1, 2, 4, 3, 3).perRow()
	rotary("", []arg{x(2, 2, 3, 6), w(5, 3), w(5, 3), positions})
	rotary("interleaved", []arg{x(2, 2, 3, 6), w(5, 3), w(5, 3), positions}, "interleaved", 1)
	rotary("part", []arg{x(2, 2, 3, 6), w(5, 2), w(5, 2), positions}, "rotary_embedding_dim", 4)
	rotary("part, interleaved", []arg{x(2, 2, 3, 6), w(5, 2), w(5, 2), positions}, "rotary_embedding_dim", 4, "interleaved", 1)
	rotary("part that is all", []arg{x(2, 1, 3, 4), w(5, 2), w(5, 2), positions}, "rotary_embedding_dim", 4)
	rotary("rows", []arg{x(2, 2, 3, 6), x(2, 3, 3), x(2, 3, 3)})
	rotary("three axes", []arg{x(2, 3, 8), w(5, 2), w(5, 2), positions}, "num_heads", 2)
	rotary("three axes, part, interleaved", []arg{x(2, 3, 8), x(2, 3, 1), x(2, 3, 1)}, "num_heads", 2, "rotary_embedding_dim", 2,
		"interleaved", 1)

	linear := func(name, rule string, hq, h int, more []arg, kv ...any) {
		in := append([]arg{x(2, 3, hq*2), x(2, 3, h*2), x(2, 3, h*3)}, more...)
		register(opCase{op: "LinearAttention", name: name, in: in, outs: 2, tol: 1e-3, whole: true,
			attrs: is(append([]any{"q_num_heads", hq, "kv_num_heads", h, "update_rule", rule}, kv...)...)})
	}
	linear("linear", "linear", 2, 2, nil)
	linear("linear with a state", "linear", 2, 1, []arg{x(2, 1, 2, 3)}, "scale", 0.5)
	linear("gated", "gated", 2, 2, []arg{none, xg(inside, 2, 3, 4)})
	linear("gated by head", "gated", 2, 2, []arg{none, xg(inside, 2, 3, 2)})
	linear("delta", "delta", 2, 2, []arg{none, none, xg(inside, 2, 3, 2)})
	linear("gated delta", "gated_delta", 2, 2, []arg{x(2, 2, 2, 3), xg(inside, 2, 3, 4), xg(inside, 2, 3, 2)})
	linear("gated delta, groups", "gated_delta", 4, 2, []arg{none, xg(inside, 2, 3, 4), xg(inside, 2, 3, 2)})
	linear("gated delta, one rate", "gated_delta", 2, 1, []arg{none, xg(inside, 2, 3, 2), xg(inside, 2, 3, 1)})

	conv := func(name string, in []arg, outs int, kv ...any) {
		register(opCase{op: "CausalConvWithState", name: name, in: in, outs: outs, attrs: is(kv...)})
	}
	conv("", []arg{x(2, 3, 5), w(3, 1, 4)}, 1)
	conv("one step", []arg{x(2, 3, 1), w(3, 1, 4)}, 2)
	conv("kernel of one", []arg{x(2, 3, 4), w(3, 1, 1)}, 1)
	conv("bias", []arg{x(2, 3, 5), w(3, 1, 2), w(3)}, 2)
	conv("silu", []arg{x(2, 1, 5), w(1, 1, 4), w(1)}, 1, "activation", "silu")
	conv("state", []arg{x(2, 3, 5), w(3, 1, 4), none, x(2, 3, 3)}, 2, "activation", "swish")
	conv("all", []arg{x(2, 2, 2), w(2, 1, 4), w(2), x(2, 2, 3)}, 2, "activation", "silu")
	// What the weights are is not known before the run.
	conv("unknown groups", []arg{x(2, 3, 5), {gen: normal, shape: []int{3, 1, 4}, hidden: true}, w(3), x(2, 3, 3)}, 2)

	scatter := func(name string, in []arg, kv ...any) {
		register(opCase{op: "TensorScatter", name: name, in: in, attrs: is(kv...)})
	}
	scatter("", []arg{x(2, 3, 5, 2), x(2, 3, 2, 2), ids(1, 3).perRow()})
	scatter("from the start", []arg{x(2, 3, 5, 2), x(2, 3, 2, 2)})
	scatter("three axes", []arg{x(2, 5, 3), x(2, 1, 3), ids(4, 0).perRow()})
	scatter("circular", []arg{x(2, 1, 4, 3), x(2, 1, 3, 3), ids(2, 3).perRow()}, "mode", "circular")
	scatter("circular axis", []arg{x(2, 3, 2), x(2, 2, 2), ids(2, 0).perRow()}, "mode", "circular", "axis", 1)
	scatter("last axis", []arg{x(2, 3, 4), x(2, 3, 2), ids(0, 2).perRow()}, "axis", -1)
	scatter("all", []arg{x(2, 3, 2), x(2, 3, 2), ids(0, 0).perRow()})
	register(opCase{op: "TensorScatter", name: "integers", in: []arg{idsIn([]int{1, 3, 1}, 1, 2, 3), idsIn([]int{1, 1, 1}, 9), ids(1)},
		values: true})

	register(
		opCase{op: "Shrink", in: []arg{x(3, 4)}}, opCase{op: "Shrink", name: "hard", attrs: is("lambd", 1.5), in: []arg{x(4, 5)}},
		opCase{op: "Shrink", name: "soft", attrs: is("lambd", 0.7, "bias", 0.7), in: []arg{x(4, 5)}},
		opCase{op: "Shrink", name: "integers", attrs: is("lambd", 1.5, "bias", 1.0), in: []arg{ids(-3, -1, 0, 1, 2, 7)}, values: true},
		opCase{op: "MeanVarianceNormalization", in: []arg{x(2, 3, 4, 2)}, whole: true, tol: 1e-3},
		opCase{op: "MeanVarianceNormalization", opset: 9, name: "one axis", attrs: is("axes", ints(1)), in: []arg{x(2, 4, 3)}, tol: 1e-3},
		opCase{op: "MeanVarianceNormalization", name: "negative axes", attrs: is("axes", ints(-1, 1)), in: []arg{x(2, 4, 1, 3)}, tol: 1e-3},
		opCase{op: "MeanVarianceNormalization", name: "no variance", attrs: is("axes", ints(1)), in: []arg{x(2, 1, 3)}, values: true},
	)
	group := func(opset int, name string, groups int, in []arg, kv ...any) {
		register(opCase{op: "GroupNormalization", opset: opset, name: name, in: in, tol: 1e-3,
			attrs: is(append([]any{"num_groups", groups}, kv...)...)})
	}
	group(21, "", 2, []arg{x(2, 4, 3, 2), w(4), w(4)})
	group(21, "one group", 1, []arg{x(2, 3, 5), w(3), w(3)}, "epsilon", 0.1)
	group(21, "a group for each channel", 3, []arg{x(2, 3, 5), w(3), w(3)})
	group(21, "no space", 2, []arg{x(3, 6), w(6), w(6)})
	group(18, "", 2, []arg{x(2, 4, 3, 2), w(2), w(2)})
	group(18, "no space", 2, []arg{x(3, 6), w(2), w(2)}, "epsilon", 0.1)
}
