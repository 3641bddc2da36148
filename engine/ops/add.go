package ops

import "github.com/gtk-onnx/gtk/engine/graph"

// Add is C = A + B, elementwise with broadcasting.
//
// Source: https://onnx.ai/onnx/operators/onnx__Add.html
var Add = new(graph.Spec)

func init() {
	defineBinary(Add, binary{
		name: "Add", role: graph.Arithmetic, since: []int{7, 13, 14}, old: []int{1, 6}, kind: kindAdd, types: numeric,
		grad: func(b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 2)
			for i := range dx {
				if need[i] {
					dx[i] = sumLike(b, dy[0], n.In[i])
				}
			}
			return dx, nil
		},
		perExample: func(b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			return perExampleBroadcast(b, dy[0], n.In[in]), nil
		},
	})
}

// perExampleBroadcast is the per-example gradient of an operand like that is broadcast over the examples of dy, the gradient by
// the broadcast operand.
func perExampleBroadcast(b *graph.Builder, dy, like graph.Value) graph.PerExample {
	g := b.Add(PerExampleSumLike, nil, dy, like)
	return graph.PerExample{Grad: g, Norm2: RowSumSquares(b, g)}
}
