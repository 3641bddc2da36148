package microsoft

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Range is start, start+delta, … up to limit, which is not included. Without a delta it is 1.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Range
var Range = new(graph.Spec)

func init() {
	types := []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int16, tensor.Int32, tensor.Int64}
	define(Range, graph.Def[noAttrs]{
		Name: "Range", Since: []int{1}, Doc: contrib + "Range",
		In: []graph.Formal{whole("start", false, types), whole("limit", false, types), whole("delta", true, types)},
		// Each is a scalar, or a vector of one number.
		Out: []graph.Formal{{Name: "Y"}},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			var in [3]graph.Value
			for i := range in {
				v := input(n, i)
				if v == 0 {
					v = cast(b, b.Const(tensor.Scalar(int64(1))), b.DType(n.In[0]))
				}
				in[i] = reshape(b, v, b.Const(tensor.New(tensor.Int64, 0)))
			}
			return []graph.Value{b.Add(ops.Range, nil, in[:]...)}, nil
		},
	})
}
