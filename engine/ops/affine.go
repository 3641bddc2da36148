package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Affine is Y = alpha·X + beta, elementwise; of the time before ONNX 1.3.
//
// Source: https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-affine
var Affine = new(graph.Spec)

type affineAttrs struct {
	Alpha float32 `onnx:"alpha,default=1"`
	Beta  float32 `onnx:"beta,default=0"`
}

func init() {
	define(Affine, graph.Def[affineAttrs]{
		Name: "Affine", Role: graph.Arithmetic, Since: []int{1},
		Doc: "https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md#experimental-affine",
		In:  []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}}, InPlace: [][2]int{{0, 0}},
		Infer: sameShape[affineAttrs],
		Run: func(a *affineAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float32 {
				kernel.AffineF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), a.Alpha, a.Beta)
				return nil
			}
			return unarySigned(c, func(x float64) float64 { return float64(a.Alpha)*x + float64(a.Beta) }, nil)
		},
		Lower: func(a *affineAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{add(b, scale(b, n.In[0], float64(a.Alpha)), b.Scalar(b.DType(n.In[0]), float64(a.Beta)))}, nil
		},
	})
}
