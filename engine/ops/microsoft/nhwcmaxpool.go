package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// NhwcMaxPool is MaxPool of x [N,…,C], channels last.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.NhwcMaxPool
var NhwcMaxPool = new(graph.Spec)

type nhwcMaxPoolAttrs struct {
	AutoPad   string `onnx:"auto_pad,default=NOTSET"`
	Ceil      int    `onnx:"ceil_mode,default=0"`
	Dilations []int  `onnx:"dilations"`
	Kernel    []int  `onnx:"kernel_shape,required"`
	Pads      []int  `onnx:"pads"`
	Strides   []int  `onnx:"strides"`
}

func init() {
	define(NhwcMaxPool, graph.Def[nhwcMaxPoolAttrs]{
		Name: "NhwcMaxPool", Since: []int{1}, Doc: contrib + "NhwcMaxPool",
		In: []graph.Formal{{Name: "x"}}, Out: []graph.Formal{{Name: "y"}},
		Lower: func(a *nhwcMaxPoolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			r := len(a.Kernel) + 2
			y := node(b, ops.MaxPool, graph.EncodeAttrs(a), channelsFirst(b, n.In[0], r))
			return []graph.Value{channelsLast(b, y, r)}, nil
		},
	})
}
