package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Mul is C = A·B, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__Mul.html
var Mul = new(graph.Spec)

func init() {
	defineBinary(Mul, binary{
		name: "Mul", role: graph.Arithmetic, since: []int{7, 13, 14}, old: []int{1, 6}, kind: kindMul, types: numeric,
		grad: func(b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 2)
			for i := range dx {
				if need[i] {
					dx[i] = sumLike(b, mul(b, dy[0], n.In[1-i]), n.In[i])
				}
			}
			return dx, nil
		},
		perExample: func(b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			return perExampleBroadcast(b, mul(b, dy[0], n.In[1-in]), n.In[in]), nil
		},
	})
}
