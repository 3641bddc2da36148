package microsoft

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// QLinearAveragePool is the AveragePool of a quantised X [N,C,…], or [N,…,C] with channels_last, quantised. As in ONNX Runtime the zero
// point of Y is added before the rounding; where a mean is half-way between two numbers, the order of its sum decides, which is not
// ONNX Runtime's.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearAveragePool
var QLinearAveragePool = new(graph.Spec)

type qlinearAveragePoolAttrs struct {
	AutoPad string `onnx:"auto_pad,default=NOTSET"`
	Ceil    bool   `onnx:"ceil_mode,default=0"`
	Last    bool   `onnx:"channels_last,default=0"`
	Include bool   `onnx:"count_include_pad,default=0"`
	Kernel  []int  `onnx:"kernel_shape,required"`
	Pads    []int  `onnx:"pads"`
	Strides []int  `onnx:"strides"`
}

func init() {
	define(QLinearAveragePool, graph.Def[qlinearAveragePoolAttrs]{
		Name: "QLinearAveragePool", Since: []int{1}, Doc: contrib + "QLinearAveragePool",
		In:    slices.Concat(quantisedIn("X", true), quantisedOut("Y", true)),
		Out:   []graph.Formal{{Name: "Y"}},
		Types: firstIs[qlinearAveragePoolAttrs](0),
		Lower: func(a *qlinearAveragePoolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			dims := len(a.Kernel)
			if dims < 1 || dims > 3 {
				return nil, fmt.Errorf("attribute kernel_shape has %d values", dims)
			}
			attrs := graph.EncodeAttrs(a)
			delete(attrs, "channels_last")
			x := dequantised(b, n, 0)
			if a.Last {
				x = asNCHW(b, x, dims+2)
			}
			y := node(b, ops.AveragePool, attrs, x)
			if a.Last {
				y = asNHWC(b, y, dims+2)
			}
			y = b.Add(ops.Add, nil, b.Add(ops.Div, nil, y, n.In[3]), number(b, input(n, 4)))
			return []graph.Value{wholeSteps(b, y, b.DType(n.In[0]))}, nil
		},
	})
}
