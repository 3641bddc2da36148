package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// ReduceLogSum is the logarithm of the sum over axes, as in ReduceSum.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReduceLogSum.html. Versions before 18 have the axes as an attribute.
var ReduceLogSum = new(graph.Spec)

func init() {
	defineReduce(ReduceLogSum, reduction{
		name: "ReduceLogSum", since: []int{18}, old: []int{1, 11, 13}, kind: kernel.ReduceLogSum,
		grad: func(r reduceNode, x, _, dy graph.Value) graph.Value {
			return r.back(div(r.Builder, dy, r.reduce(ReduceSum, x)))
		},
	})
}
