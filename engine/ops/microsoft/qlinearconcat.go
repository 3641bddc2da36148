package microsoft

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// QLinearConcat joins quantised tensors along an axis, all of them quantised as Y_scale and Y_zero_point say: inputs these two, and then
// numbers, scale and zero point of each tensor.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearConcat
var QLinearConcat = new(graph.Spec)

type qlinearConcatAttrs struct {
	Axis int `onnx:"axis,required"`
}

func init() {
	define(QLinearConcat, graph.Def[qlinearConcatAttrs]{
		Name: "QLinearConcat", Since: []int{1}, Doc: contrib + "QLinearConcat",
		In: append(quantisedOut("Y", false), graph.Formal{Name: "inputs", Variadic: true, NoGrad: true,
			Types: append([]tensor.DType{tensor.Float32}, bytesOnly...)}),
		Out:   []graph.Formal{{Name: "Y"}},
		Types: firstIs[qlinearConcatAttrs](1),
		Check: func(_ *qlinearConcatAttrs, n *graph.Node) error {
			if n.NumIn < 5 || (n.NumIn-2)%3 != 0 {
				return fmt.Errorf("has %d inputs; they are Y_scale, Y_zero_point and three for each tensor", n.NumIn)
			}
			return nil
		},
		Lower: func(a *qlinearConcatAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			var parts []graph.Value
			for i := 2; i < n.NumIn; i += 3 {
				parts = append(parts, dequantised(b, n, i))
			}
			y := node(b, ops.Concat, graph.Attrs{"axis": int64(a.Axis)}, parts...)
			return []graph.Value{quantised(b, n, y, 0, tensor.Uint8)}, nil
		},
	})
}
