package microsoft

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// QLinearSoftmax is the Softmax, as operator set opset has it, of a quantised X, quantised. As in ONNX Runtime, probabilities are counted
// in whole steps: they are multiplied by ⌊1/y_scale⌋.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QLinearSoftmax
var QLinearSoftmax = new(graph.Spec)

type qlinearSoftmaxAttrs struct {
	Axis  int `onnx:"axis,default=-1"`
	Opset int `onnx:"opset,required"`
}

func init() {
	define(QLinearSoftmax, graph.Def[qlinearSoftmaxAttrs]{
		Name: "QLinearSoftmax", Since: []int{1}, Doc: contrib + "QLinearSoftmax",
		In:    slices.Concat(quantisedIn("X", true), quantisedOut("Y", false)),
		Out:   []graph.Formal{{Name: "Y"}},
		Types: firstIs[qlinearSoftmaxAttrs](0),
		Lower: func(a *qlinearSoftmaxAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			softmax, _ := ops.Standard.Find("", "Softmax", a.Opset)
			if softmax == nil {
				return nil, fmt.Errorf("attribute opset has the value %d", a.Opset)
			}
			if softmax == ops.Softmax {
				return []graph.Value{node(b, ops.QuantisedSoftmax, graph.Attrs{"axis": int64(a.Axis)}, n.In...)}, nil
			}
			y := node(b, softmax, graph.Attrs{"axis": int64(a.Axis)}, dequantised(b, n, 0))
			one := b.Const(tensor.Scalar(float32(1)))
			steps := b.Add(ops.Floor, nil, b.Add(ops.Div, nil, one, n.In[3]))
			return []graph.Value{quantise(b, b.Add(ops.Mul, nil, y, steps), one, n.In[4], b.DType(n.In[0]), nil)}, nil
		},
	})
}
