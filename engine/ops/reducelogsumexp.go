package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// ReduceLogSumExp is the logarithm of the sum of exponentials over axes, as in ReduceSum, computed without overflow.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReduceLogSumExp.html. Versions before 18 have the axes as an attribute.
var ReduceLogSumExp = new(graph.Spec)

func init() {
	defineReduce(ReduceLogSumExp, reduction{
		name: "ReduceLogSumExp", since: []int{18}, old: []int{1, 11, 13}, kind: kernel.ReduceLogSumExp,
		grad: func(r reduceNode, x, y, dy graph.Value) graph.Value {
			return mul(r.Builder, r.Add(Exp, nil, sub(r.Builder, x, r.back(y))), r.back(dy))
		},
	})
}
