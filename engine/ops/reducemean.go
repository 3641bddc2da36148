package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// ReduceMean is the mean over axes, as in ReduceSum.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReduceMean.html. Versions before 18 have the axes as an attribute.
var ReduceMean = new(graph.Spec)

func init() {
	defineReduce(ReduceMean, reduction{
		name: "ReduceMean", since: []int{18}, old: []int{1, 11, 13}, kind: kernel.ReduceMean,
		grad: func(r reduceNode, _, _, dy graph.Value) graph.Value {
			a := r.attrs
			a.Mean = true
			return r.spread(dy, a)
		},
	})
}
