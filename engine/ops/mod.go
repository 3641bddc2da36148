package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Mod is the remainder of A/B, elementwise with broadcasting, with the sign of B, or with fmod=1 of A; 0 for integers where B is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Mod.html. Deviation: floating-point operands, which ONNX allows with fmod=1 only, are taken
// without it too.
var Mod = new(graph.Spec)

type modAttrs struct {
	FMod bool `onnx:"fmod,default=0"`
}

func init() {
	define(Mod, graph.Def[modAttrs]{
		Name: "Mod", Since: []int{10, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__Mod.html",
		In: []graph.Formal{{Name: "A", Types: numeric}, {Name: "B", Types: numeric}}, Out: []graph.Formal{{Name: "C"}},
		InPlace: [][2]int{{0, 0}, {1, 0}}, Types: sameOperands[modAttrs], Infer: inferBinary[modAttrs],
		Run: func(a *modAttrs, c *graph.RunCtx) error {
			k := kindMod
			if a.FMod {
				k = kindFMod
			}
			return runBinary(k, c, c.In[1].Shape())
		},
		// C = A - q·B with an integer q, which does not change nearby.
		Grad: func(_ *modAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 2)
			if need[0] {
				dx[0] = sumLike(b, dy[0], n.In[0])
			}
			if need[1] {
				q := b.Add(Round, nil, div(b, sub(b, n.In[0], n.Out[0]), n.In[1]))
				dx[1] = neg(b, sumLike(b, mul(b, dy[0], q), n.In[1]))
			}
			return dx, nil
		},
	})
}
