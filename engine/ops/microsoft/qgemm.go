package microsoft

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// QGemm is Y = alpha·A'·B' + C of quantised matrices A [M,K] and B [K,N] and a bias C in int32, quantised with the scale
// alpha·a_scale·b_scale. b_scale and b_zero_point are for all or for each column. Y is quantised, or float32 where y_scale is left out.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.QGemm
var QGemm = new(graph.Spec)

type qgemmAttrs struct {
	Alpha  float32 `onnx:"alpha,default=1"`
	TransA bool    `onnx:"transA,default=0"`
	TransB bool    `onnx:"transB,default=0"`
}

func init() {
	define(QGemm, graph.Def[qgemmAttrs]{
		Name: "QGemm", Since: []int{1}, Doc: contrib + "QGemm",
		In: slices.Concat(quantisedIn("A", false), quantisedIn("B", false),
			[]graph.Formal{{Name: "C", Types: []tensor.DType{tensor.Int32}, NoGrad: true, Optional: true},
				{Name: "y_scale", Types: scaleOnly, NoGrad: true, Optional: true},
				{Name: "y_zero_point", Types: bytesOnly, NoGrad: true, Optional: true}}),
		Out: []graph.Formal{{Name: "Y"}},
		Types: func(_ *qgemmAttrs, in, out []tensor.DType) error {
			out[0] = tensor.Float32
			if len(in) > 7 && in[7] != tensor.Undefined {
				out[0] = in[0]
				if len(in) > 8 && in[8] != tensor.Undefined {
					out[0] = in[8]
				}
			}
			return nil
		},
		Lower: func(a *qgemmAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x, w := n.In[0], n.In[3]
			if a.TransA {
				x = node(b, ops.Transpose, graph.Attrs{"perm": []int64{1, 0}}, x)
			}
			if a.TransB {
				w = node(b, ops.Transpose, graph.Attrs{"perm": []int64{1, 0}}, w)
			}
			sum := node(b, ops.MatMulInteger, nil, x, w, n.In[2], n.In[5])
			if c := input(n, 6); c != 0 {
				sum = b.Add(ops.Add, nil, sum, c)
			}
			scale := b.Add(ops.Mul, nil, b.Const(tensor.Scalar(a.Alpha)), n.In[1])
			scale = b.Add(ops.Mul, nil, scale, n.In[4])
			step := input(n, 7)
			if step != 0 {
				scale = b.Add(ops.Div, nil, scale, step)
			}
			y := b.Add(ops.Mul, nil, node(b, ops.Cast, graph.Attrs{"to": int64(tensor.Float32)}, sum), scale)
			if step != 0 {
				y = quantise(b, y, b.Const(tensor.Scalar(float32(1))), input(n, 8), b.DType(n.In[0]), nil)
			}
			return []graph.Value{y}, nil
		},
	})
}
