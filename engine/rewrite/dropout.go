package rewrite

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// TrainDropout puts the Dropout nodes of g into training mode and returns their seed, int64 [2]: a number and how many runs it has served.
// What they drop in a run follows from both as they are at that time. It is nil when g has no such node. Nodes whose mask is used or whose
// ratio is known only at run time stay as they are.
func TrainDropout(g *graph.Graph) *tensor.Tensor {
	t := tensor.From(make([]int64, 2), 2)
	var seed graph.Value
	done := false
	for _, n := range slices.Clone(g.Nodes) {
		if n.Op.Name != "Dropout" || n.Op.Domain != "" {
			continue
		}
		if seed == 0 {
			seed = g.AddParam("dropout seed", t)
		}
		done = ops.SetDropoutTraining(g, n, seed) || done
	}
	if !done {
		return nil
	}
	return t
}
