package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Div is C = A/B, elementwise with broadcasting. Of integers the quotient is truncated, and 0 where B is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Div.html
var Div = new(graph.Spec)

func init() {
	defineBinary(Div, binary{
		name: "Div", role: graph.Arithmetic, since: []int{7, 13, 14}, old: []int{1, 6}, kind: kindDiv, types: numeric,
		grad: func(b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 2)
			q := div(b, dy[0], n.In[1])
			if need[0] {
				dx[0] = sumLike(b, q, n.In[0])
			}
			if need[1] {
				dx[1] = neg(b, sumLike(b, mul(b, q, n.Out[0]), n.In[1]))
			}
			return dx, nil
		},
		perExample: func(b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			q := div(b, dy[0], n.In[1])
			switch in {
			case 0:
				return perExampleBroadcast(b, q, n.In[0]), nil
			case 1:
				pe := perExampleBroadcast(b, mul(b, q, n.Out[0]), n.In[1])
				pe.Grad = neg(b, pe.Grad)
				return pe, nil
			}
			return graph.PerExample{}, fmt.Errorf("input %d: %w", in, graph.ErrNoGradient)
		},
	})
}
