package training

import "github.com/gtk-onnx/gtk/engine/graph"

// Adam is a step of Adam. From the rate R, the count T, and for each tensor X its gradient G, the mean of gradients V and of their
// squares H, it makes new X, V and H:
//
//	G' = norm_coefficient·X + G,  V' = α·V + (1-α)·G',  H' = β·H + (1-β)·G'²
//	r  = R·√(1-βᵀ)/(1-αᵀ) for T > 0, else R
//	X' = (1 - norm_coefficient_post)·(X - r·V'/(√H' + ε))
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adam.html
var Adam = new(graph.Spec)

type adamAttrs struct {
	Alpha   float32 `onnx:"alpha,default=0.9"`
	Beta    float32 `onnx:"beta,default=0.999"`
	Epsilon float32 `onnx:"epsilon,default=1e-6"`
	Norm    float32 `onnx:"norm_coefficient,default=0"`
	Post    float32 `onnx:"norm_coefficient_post,default=0"`
}

func init() {
	defineRule(Adam, rule[adamAttrs]{
		name: "Adam", ins: 4, outs: 3,
		step: func(a *adamAttrs, s *step, r, t graph.Value, x []graph.Value) []graph.Value {
			g := s.decayed(a.Norm, x[0], x[1])
			v := s.add(s.scale(a.Alpha, x[2]), s.mul(g, s.oneLess(a.Alpha)))
			h := s.add(s.scale(a.Beta, x[3]), s.mul(s.mul(g, g), s.oneLess(a.Beta)))
			one := s.number(1)
			power := func(k float32) graph.Value { return s.sub(one, s.pow(k, t)) }
			r = s.later(t, s.div(s.mul(r, s.sqrt(power(a.Beta))), power(a.Alpha)), r)
			y := s.sub(x[0], s.div(s.mul(r, v), s.add(s.sqrt(h), s.number(a.Epsilon))))
			if a.Post != 0 {
				y = s.mul(y, s.oneLess(a.Post))
			}
			return []graph.Value{y, v, h}
		},
	})
}
