package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// ReduceL1 is the sum of absolute values over axes, as in ReduceSum. The gradient at 0 is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReduceL1.html. Versions before 18 have the axes as an attribute.
var ReduceL1 = new(graph.Spec)

func init() {
	defineReduce(ReduceL1, reduction{
		name: "ReduceL1", since: []int{18}, old: []int{1, 11, 13}, kind: kernel.ReduceL1,
		grad: func(r reduceNode, x, _, dy graph.Value) graph.Value {
			return mul(r.Builder, r.Add(Sign, nil, x), r.back(dy))
		},
	})
}
