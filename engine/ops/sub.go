package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Sub is C = A - B, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__Sub.html
var Sub = new(graph.Spec)

func init() {
	defineBinary(Sub, binary{
		name: "Sub", role: graph.Arithmetic, since: []int{7, 13, 14}, old: []int{1, 6}, kind: kindSub, types: numeric,
		grad: func(b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 2)
			if need[0] {
				dx[0] = sumLike(b, dy[0], n.In[0])
			}
			if need[1] {
				dx[1] = neg(b, sumLike(b, dy[0], n.In[1]))
			}
			return dx, nil
		},
		perExample: func(b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			pe := perExampleBroadcast(b, dy[0], n.In[in])
			if in == 1 {
				pe.Grad = neg(b, pe.Grad)
			}
			return pe, nil
		},
	})
}
