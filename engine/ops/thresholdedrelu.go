package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
)

// ThresholdedRelu is Y = X where X > alpha, else 0, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__ThresholdedRelu.html
var ThresholdedRelu = new(graph.Spec)

type thresholdedReluAttrs struct {
	Alpha float32 `onnx:"alpha,default=1"`
}

func init() {
	define(ThresholdedRelu, graph.Def[thresholdedReluAttrs]{
		Name: "ThresholdedRelu", Role: graph.Activation, Since: []int{10, 22},
		Doc: "https://onnx.ai/onnx/operators/onnx__ThresholdedRelu.html",
		In:  []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[thresholdedReluAttrs],
		Run: func(a *thresholdedReluAttrs, c *graph.RunCtx) error {
			k := float64(a.Alpha)
			return unarySigned(c, func(x float64) float64 {
				if x > k {
					return x
				}
				return 0
			}, nil)
		},
		Grad: func(a *thresholdedReluAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			d := b.DType(dy[0])
			over := b.Add(Greater, nil, n.In[0], b.Scalar(d, float64(a.Alpha)))
			return []graph.Value{b.Add(Where, nil, over, dy[0], b.Scalar(d, 0))}, nil
		},
	})
}
