package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
)

// ArgMax is the index along an axis of the largest element: the first of several or, with select_last_index, the last; NaN is largest.
//
// Source: https://onnx.ai/onnx/operators/onnx__ArgMax.html
var ArgMax = new(graph.Spec)

func init() {
	defineArg(ArgMax, "ArgMax", argKernels{
		kernel.ArgMax[float32], kernel.ArgMax[float64], kernel.ArgMax[int8], kernel.ArgMax[int16], kernel.ArgMax[int32],
		kernel.ArgMax[int64],
		kernel.ArgMax[uint8], kernel.ArgMax[uint16], kernel.ArgMax[uint32], kernel.ArgMax[uint64],
	})
}
