package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// ArgMin is the index along an axis of the smallest element: the first of several or, with select_last_index, the last; NaN is smallest.
//
// Source: https://onnx.ai/onnx/operators/onnx__ArgMin.html
var ArgMin = new(graph.Spec)

func init() {
	defineArg(ArgMin, "ArgMin", argKernels{
		kernel.ArgMin[float32], kernel.ArgMin[float64], kernel.ArgMin[int8], kernel.ArgMin[int16], kernel.ArgMin[int32],
		kernel.ArgMin[int64],
		kernel.ArgMin[uint8], kernel.ArgMin[uint16], kernel.ArgMin[uint32], kernel.ArgMin[uint64],
	})
}
