package microsoft

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// QLinearConv is that of ai.onnx, with x and y [N,…,C] where channels_last says so.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearConv
var QLinearConv = new(graph.Spec)

type qlinearConvAttrs struct {
	AutoPad   string `onnx:"auto_pad,default=NOTSET"`
	Dilations []int  `onnx:"dilations"`
	Group     int    `onnx:"group,default=1"`
	Kernel    []int  `onnx:"kernel_shape"`
	Pads      []int  `onnx:"pads"`
	Strides   []int  `onnx:"strides"`
	Last      bool   `onnx:"channels_last,default=0"`
}

func init() {
	define(QLinearConv, graph.Def[qlinearConvAttrs]{
		Name: "QLinearConv", Since: []int{1}, Doc: contrib + "QLinearConv",
		In: slices.Concat(quantisedIn("x", false), quantisedIn("w", false), quantisedOut("y", false),
			[]graph.Formal{{Name: "B", Types: []tensor.DType{tensor.Int32}, NoGrad: true, Optional: true}}),
		Out:   []graph.Formal{{Name: "y"}},
		Types: firstIs[qlinearConvAttrs](7),
		Lower: func(a *qlinearConvAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			attrs := graph.EncodeAttrs(a)
			delete(attrs, "channels_last")
			in := slices.Clone(n.In)
			dims := 2 // the only layout that is written so, where nothing says another
			if w := b.G.Info(n.In[3]).Data; w != nil {
				dims = w.Rank() - 2
			}
			if a.Last {
				in[0] = asNCHW(b, in[0], dims+2)
			}
			y := node(b, ops.QLinearConv, attrs, in...)
			if a.Last {
				y = asNHWC(b, y, dims+2)
			}
			return []graph.Value{y}, nil
		},
	})
}
