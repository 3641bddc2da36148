package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// FlexAttention is softmax(score_mod(scale·Q·Kᵀ)) with prob_mod applied, times V, for Q [N,Hq,S,D], K [N,H,T,D] and V [N,H,T,E] as in
// Attention. score_mod and prob_mod are bodies that map [N,Hq,S,T] to the same; they become part of the graph around the node.
//
// Source: ONNX 1.22, domain ai.onnx.preview, by the official cases test_flexattention and their expanded forms. Deviations: as in
// Attention.
var FlexAttention = new(graph.Spec)

type flexAttentionAttrs struct {
	Scale     *float32 `onnx:"scale"`
	Precision int      `onnx:"softmax_precision,default=0"`
}

func init() {
	define(FlexAttention, graph.Def[flexAttentionAttrs]{
		Domain: "ai.onnx.preview", Name: "FlexAttention", Since: []int{1},
		Doc:    "https://github.com/onnx/onnx/blob/main/docs/Operators.md",
		In:     []graph.Formal{{Name: "Q", Types: floats}, {Name: "K", Types: floats}, {Name: "V", Types: floats}},
		Out:    []graph.Formal{{Name: "Y"}},
		Bodies: []string{"score_mod", "prob_mod"}, Loose: true,
		FormalTypes: func(in []tensor.DType) []tensor.DType { return in[:min(1, len(in))] },
		Lower: func(a *flexAttentionAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			q, k, v := n.In[0], n.In[1], n.In[2]
			s, err := inlined(b, n, "score_mod", attentionScores(&attentionAttrs{Scale: a.Scale}, b, q, k, false))
			if err != nil {
				return nil, err
			}
			fine := b.DType(s)
			if tensor.DType(a.Precision) == tensor.Float64 {
				s = castTo(b, s, tensor.Float64)
			}
			p, err := inlined(b, n, "prob_mod", castTo(b, b.Add(Softmax, AlongAxis(-1), s), fine))
			if err != nil {
				return nil, err
			}
			return []graph.Value{castTo(b, attended(b, castTo(b, p, b.DType(v)), v, false), b.DType(q))}, nil
		},
	})
}

// inlined is what the body of n in attribute attr makes of x, by nodes of the builder's graph; x itself when n has no such body.
func inlined(b *graph.Builder, n *graph.Node, attr string, x graph.Value) (graph.Value, error) {
	k := slices.IndexFunc(n.Bodies, func(body *graph.Body) bool { return body.Attr == attr })
	if k < 0 {
		return x, nil
	}
	body := n.Bodies[k]
	if body.Formals != 1 || len(body.G.Outputs) != 1 {
		return 0, fmt.Errorf("%s has %d inputs and %d outputs, want one of each", attr, body.Formals, len(body.G.Outputs))
	}
	outer := map[graph.Value]graph.Value{0: 0, body.G.Inputs[0]: castTo(b, x, body.G.Info(body.G.Inputs[0]).DType)}
	for i, v := range n.Captured(k) {
		outer[body.G.Inputs[1+i]] = v
	}
	for v, i := range body.G.Values {
		switch {
		case outer[v] != 0 || i.Data == nil:
		case i.Kind == graph.Parameter:
			outer[v] = b.G.AddParam(i.Name, i.Data)
		default:
			outer[v] = b.G.AddConst(i.Name, i.Data)
		}
	}
	for _, m := range body.G.Nodes {
		in, want := make([]graph.Value, len(m.In)), make([]bool, len(m.Out))
		for i, v := range m.In {
			in[i] = outer[v]
		}
		for i, v := range m.Out {
			want[i] = v != 0
		}
		bodies := make([]*graph.Body, len(m.Bodies))
		for i, inner := range m.Bodies {
			bodies[i] = inner.Clone()
		}
		c := b.AddControl(m.Name, m.Op, m.Attrs, in[:m.NumIn], want, bodies, in[m.NumIn:])
		if c == nil {
			return 0, b.Err()
		}
		c.Opset = m.Opset
		for i, v := range m.Out {
			if v != 0 {
				outer[v] = c.Out[i]
			}
		}
	}
	y := outer[body.G.Outputs[0]]
	if b.DType(y) != b.DType(x) {
		return 0, fmt.Errorf("%s makes %v of %v", attr, b.DType(y), b.DType(x))
	}
	return y, nil
}
