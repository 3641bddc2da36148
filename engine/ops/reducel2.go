package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// ReduceL2 is the root of the sum of squares over axes, as in ReduceSum. The gradient at 0 is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReduceL2.html. Versions before 18 have the axes as an attribute.
var ReduceL2 = new(graph.Spec)

func init() {
	defineReduce(ReduceL2, reduction{
		name: "ReduceL2", since: []int{18}, old: []int{1, 11, 13}, kind: kernel.ReduceL2,
		grad: func(r reduceNode, x, y, dy graph.Value) graph.Value {
			zero := r.Scalar(r.DType(x), 0)
			share := r.Add(Where, nil, r.Add(Equal, nil, y, zero), zero, div(r.Builder, dy, y))
			return mul(r.Builder, x, r.back(share))
		},
	})
}
