package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// ReduceMax is the largest over axes, as in ReduceSum; false counts as less than true. The gradient is shared equally among the
// elements that are it, as PyTorch's amax does.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReduceMax.html. Versions before 18 have the axes as an attribute.
var ReduceMax = new(graph.Spec)

func init() {
	defineReduce(ReduceMax, reduction{
		name: "ReduceMax", since: []int{18, 20}, old: []int{1, 11, 12, 13}, kind: kernel.ReduceMax,
		types: append([]tensor.DType{tensor.Bool}, numeric...),
		grad: func(r reduceNode, x, y, dy graph.Value) graph.Value {
			mask := truth(r.Builder, r.Add(Equal, nil, x, r.back(y)), x)
			return mul(r.Builder, mask, r.back(div(r.Builder, dy, r.reduce(ReduceSum, mask))))
		},
	})
}
