package training

import "github.com/gtk-onnx/gtk/engine/graph"

// Adagrad is a step of AdaGrad. From the rate R, the count T, and for each tensor X its gradient G and the sum of squared gradients H, it
// makes new X and H:
//
//	G' = norm_coefficient·X + G,  H' = H + G'²,  X' = X - R/(1 + T·decay_factor)·G'/(√H' + ε)
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adagrad.html
var Adagrad = new(graph.Spec)

type adagradAttrs struct {
	Decay   float32 `onnx:"decay_factor,default=0"`
	Epsilon float32 `onnx:"epsilon,default=1e-6"`
	Norm    float32 `onnx:"norm_coefficient,default=0"`
}

func init() {
	defineRule(Adagrad, rule[adagradAttrs]{
		name: "Adagrad", ins: 3, outs: 2,
		step: func(a *adagradAttrs, s *step, r, t graph.Value, x []graph.Value) []graph.Value {
			g := s.decayed(a.Norm, x[0], x[1])
			h := s.add(x[2], s.mul(g, g))
			r = s.div(r, s.add(s.scale(a.Decay, s.cast(t)), s.number(1)))
			return []graph.Value{s.sub(x[0], s.div(s.mul(r, g), s.add(s.sqrt(h), s.number(a.Epsilon)))), h}
		},
	})
}
