package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// QuantizeLinear is that of ai.onnx, by another name: for types that ai.onnx did not have then.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QuantizeLinear
var QuantizeLinear = new(graph.Spec)

// gridAttrs are the attributes of QuantizeLinear and DequantizeLinear. Without an axis there is one scale.
type gridAttrs struct {
	Axis  int `onnx:"axis,default=1"`
	Block int `onnx:"block_size,default=0"`
}

func (a *gridAttrs) attrs() graph.Attrs {
	return graph.Attrs{"axis": int64(a.Axis), "block_size": int64(a.Block)}
}

// grids are the types of quantised numbers.
var grids = []tensor.DType{tensor.Int8, tensor.Uint8, tensor.Int16, tensor.Uint16, tensor.Int4, tensor.Uint4}

func init() {
	define(QuantizeLinear, graph.Def[gridAttrs]{
		Name: "QuantizeLinear", Role: graph.View, Since: []int{1}, Doc: contrib + "QuantizeLinear",
		In: []graph.Formal{{Name: "x", Types: scaleOnly}, {Name: "y_scale", Types: scaleOnly},
			{Name: "y_zero_point", Types: grids, Optional: true, NoGrad: true}},
		Out: []graph.Formal{{Name: "y"}},
		Types: func(_ *gridAttrs, in, out []tensor.DType) error {
			out[0] = tensor.Uint8
			if len(in) > 2 && in[2] != tensor.Undefined {
				out[0] = in[2]
			}
			return nil
		},
		Lower: func(a *gridAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{node(b, ops.QuantizeLinear, a.attrs(), n.In[0], n.In[1], input(n, 2))}, nil
		},
	})
}
