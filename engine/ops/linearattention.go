package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// LinearAttention reads a state S [D,E] of each head with queries, step by step: O = scale·q·S after S was updated with the key k, the
// value v, the decay g and the rate beta by update_rule:
//
//	linear       S + k·vᵀ
//	gated        e^g⊙S + k·vᵀ, e^g for each row
//	delta        S + k·(beta·(v - Sᵀk))ᵀ
//	gated_delta  the same with e^g⊙S for S
//
// query is [N,T,Hq·D], key [N,T,H·D], value [N,T,H·E], past_state [N,H,D,E] or zeros, decay [N,T,H·D] or [N,T,H], beta [N,T,H] or [N,T,1].
// Each state serves Hq/H heads of queries. It runs as a Scan over the steps.
//
// Source: https://onnx.ai/onnx/operators/onnx__LinearAttention.html. chunk_size is a hint and changes nothing.
var LinearAttention = new(graph.Spec)

type linearAttentionAttrs struct {
	QHeads  int      `onnx:"q_num_heads,required"`
	KVHeads int      `onnx:"kv_num_heads,required"`
	Rule    string   `onnx:"update_rule,default=gated_delta"`
	Scale   *float32 `onnx:"scale"` // 0 is 1/√D, as without
	Chunk   int      `onnx:"chunk_size,default=64"`
}

func init() {
	define(LinearAttention, graph.Def[linearAttentionAttrs]{
		Name: "LinearAttention", Since: []int{27}, Doc: "https://onnx.ai/onnx/operators/onnx__LinearAttention.html",
		In: []graph.Formal{
			{Name: "query", Types: floats}, {Name: "key", Types: floats}, {Name: "value", Types: floats},
			{Name: "past_state", Types: floats, Optional: true}, {Name: "decay", Types: floats, Optional: true},
			{Name: "beta", Types: floats, Optional: true},
		},
		Out: []graph.Formal{{Name: "output"}, {Name: "present_state", Optional: true}}, Types: sameOperands[linearAttentionAttrs],
		Check: func(a *linearAttentionAttrs, n *graph.Node) error {
			gated, delta, err := a.rule()
			switch {
			case err != nil:
				return err
			case a.QHeads < 1 || a.KVHeads < 1 || a.QHeads%a.KVHeads != 0:
				return fmt.Errorf("q_num_heads is %d, want a multiple of kv_num_heads, %d", a.QHeads, a.KVHeads)
			case gated && input(n, 4) == 0:
				return fmt.Errorf("update_rule %s needs the input decay", a.Rule)
			case delta && input(n, 5) == 0:
				return fmt.Errorf("update_rule %s needs the input beta", a.Rule)
			}
			return nil
		},
		Lower: lowerLinearAttention,
	})
}

func (a *linearAttentionAttrs) rule() (gated, delta bool, err error) {
	switch a.Rule {
	case "linear":
	case "gated":
		gated = true
	case "delta":
		delta = true
	case "gated_delta":
		gated, delta = true, true
	default:
		err = fmt.Errorf("update_rule is %q, want linear, gated, delta or gated_delta", a.Rule)
	}
	return gated, delta, err
}

func lowerLinearAttention(a *linearAttentionAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	gated, delta, err := a.rule()
	if err != nil {
		return nil, err
	}
	q, d := n.In[0], b.DType(n.In[0])
	// perStep is x [N,T,heads·D] as [T,N,heads,D].
	perStep := func(x graph.Value) graph.Value {
		h := b.Ints(a.KVHeads)
		x = shaped(b, x, extents(b, x, 0, 2), h, div(b, extent(b, x, 2), h))
		return b.Add(Transpose, Perm(1, 0, 2, 3), x)
	}
	k, v := perStep(n.In[1]), perStep(n.In[2])
	shared := b.Ints(a.QHeads / a.KVHeads)
	width := extent(b, k, 3)
	q = shaped(b, q, extents(b, q, 0, 2), b.Ints(a.KVHeads), shared, width)
	if a.Scale != nil && *a.Scale != 0 {
		q = scale(b, q, float64(*a.Scale))
	} else {
		q = mul(b, q, b.Add(Reciprocal, nil, b.Add(Sqrt, nil, b.Add(Cast, CastTo(d), width))))
	}
	state := input(n, 3)
	if state == 0 {
		zero := &constantOfShapeAttrs{Value: floatScalar(d, 0).Reshape(1)}
		state = b.Add(ConstantOfShape, zero, b.Add(Concat, &concatAttrs{}, extents(b, k, 1, 4), extent(b, v, 3)))
	}
	in := []graph.Value{state, b.Add(Transpose, Perm(1, 0, 2, 3, 4), q), k, v}
	if gated {
		in = append(in, perStep(n.In[4]))
	}
	if delta {
		beta := n.In[5]
		in = append(in, b.Add(Transpose, Perm(1, 0, 2, 3), b.Add(Unsqueeze, nil, beta, b.Ints(3))))
	}
	g := graph.New("body")
	formals := make([]graph.Value, len(in))
	for i := range in {
		formals[i] = g.AddInput(fmt.Sprintf("in%d", i), d, nil)
	}
	body := graph.NewBuilder(g)
	g.Outputs = linearAttentionStep(body, formals, gated, delta)
	if err := body.Err(); err != nil {
		return nil, err
	}
	scan := b.AddControl("", Scan, &scanAttrs{NumScanInputs: len(in) - 1}, in, []bool{true, true},
		[]*graph.Body{{Attr: "body", G: g, Formals: len(in)}}, nil)
	if scan == nil {
		return nil, b.Err()
	}
	y := b.Add(Transpose, Perm(1, 0, 2, 3, 4), scan.Out[1]) // [N,T,H,Hq/H,E]
	y = shaped(b, y, extents(b, y, 0, 2), mul(b, b.Ints(a.QHeads), extent(b, y, 4)))
	return []graph.Value{y, scan.Out[0]}, nil
}

// linearAttentionStep is one step: the state after it and what the queries read, from the state [N,H,D,E], q [N,H,Hq/H,D], k [N,H,D] and v
// [N,H,E], then decay [N,H,D] or [N,H,1] and beta [N,H,1] or [N,1,1] where the rule has them.
func linearAttentionStep(b *graph.Builder, in []graph.Value, gated, delta bool) []graph.Value {
	s, q, k, v, rest := in[0], in[1], in[2], in[3], in[4:]
	column, row := b.Ints(3), b.Ints(2)
	if gated {
		s = mul(b, s, b.Add(Exp, nil, b.Add(Unsqueeze, nil, rest[0], column)))
		rest = rest[1:]
	}
	v = b.Add(Unsqueeze, nil, v, row)
	if delta {
		there := b.Add(MatMul, nil, b.Add(Unsqueeze, nil, k, row), s)
		v = mul(b, b.Add(Unsqueeze, nil, rest[0], row), sub(b, v, there))
	}
	s = add(b, s, mul(b, b.Add(Unsqueeze, nil, k, column), v))
	return []graph.Value{s, b.Add(MatMul, nil, q, s)}
}
