package microsoft

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// NhwcMaxPool is the MaxPool of 8-bit integers x [N,…,C], to y in the same order.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.NhwcMaxPool
var NhwcMaxPool = new(graph.Spec)

type nhwcMaxPoolAttrs struct {
	AutoPad   string `onnx:"auto_pad,default=NOTSET"`
	Ceil      bool   `onnx:"ceil_mode,default=0"`
	Dilations []int  `onnx:"dilations"`
	Kernel    []int  `onnx:"kernel_shape,required"`
	Pads      []int  `onnx:"pads"`
	Strides   []int  `onnx:"strides"`
}

func init() {
	define(NhwcMaxPool, graph.Def[nhwcMaxPoolAttrs]{
		Name: "NhwcMaxPool", Since: []int{1}, Doc: contrib + "NhwcMaxPool",
		In: []graph.Formal{{Name: "x", Types: bytesOnly, NoGrad: true}}, Out: []graph.Formal{{Name: "y"}},
		Lower: func(a *nhwcMaxPoolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			dims := len(a.Kernel)
			if dims < 1 || dims > 3 {
				return nil, fmt.Errorf("attribute kernel_shape has %d values", dims)
			}
			y := node(b, ops.MaxPool, graph.EncodeAttrs(a), asNCHW(b, n.In[0], dims+2))
			return []graph.Value{asNHWC(b, y, dims+2)}, nil
		},
	})
}
