package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// ReduceSumSquare is the sum of squares over axes, as in ReduceSum.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReduceSumSquare.html. Versions before 18 have the axes as an attribute.
var ReduceSumSquare = new(graph.Spec)

func init() {
	defineReduce(ReduceSumSquare, reduction{
		name: "ReduceSumSquare", since: []int{18}, old: []int{1, 11, 13}, kind: kernel.ReduceSumSquare,
		grad: func(r reduceNode, x, _, dy graph.Value) graph.Value {
			return mul(r.Builder, scale(r.Builder, x, 2), r.back(dy))
		},
	})
}
