package training

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Momentum is a step of gradient descent with momentum. From the rate R, the count T, and for each tensor X its gradient G and its
// momentum V, it makes new X and V:
//
//	G' = norm_coefficient·X + G,  V' = α·V + β·G', with β = 1 for T = 0
//	X' = X - R·V', or with Nesterov's momentum X - R·(G' + α·V')
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Momentum.html
var Momentum = new(graph.Spec)

type momentumAttrs struct {
	Alpha float32 `onnx:"alpha,required"`
	Beta  float32 `onnx:"beta,required"`
	Mode  string  `onnx:"mode,required"`
	Norm  float32 `onnx:"norm_coefficient,required"`
}

func init() {
	defineRule(Momentum, rule[momentumAttrs]{
		name: "Momentum", ins: 3, outs: 2,
		check: func(a *momentumAttrs) error {
			if a.Mode != "standard" && a.Mode != "nesterov" {
				return fmt.Errorf("attribute mode is %q, want standard or nesterov", a.Mode)
			}
			return nil
		},
		step: func(a *momentumAttrs, s *step, r, t graph.Value, x []graph.Value) []graph.Value {
			g := s.decayed(a.Norm, x[0], x[1])
			v := s.add(s.scale(a.Alpha, x[2]), s.mul(g, s.later(t, s.number(a.Beta), s.number(1))))
			to := v
			if a.Mode == "nesterov" {
				to = s.add(g, s.scale(a.Alpha, v))
			}
			return []graph.Value{s.sub(x[0], s.mul(r, to)), v}
		},
	})
}
