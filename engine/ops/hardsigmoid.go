package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// HardSigmoid is Y = max(0, min(1, alpha·X + beta)), elementwise. The gradient is alpha·dY where 0 < Y < 1, else 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__HardSigmoid.html
var HardSigmoid = new(graph.Spec)

// HardSigmoidGrad is the gradient of HardSigmoid: inputs Y and dY, of one shape.
var HardSigmoidGrad = new(graph.Spec)

type hardSigmoidAttrs struct {
	Alpha float32 `onnx:"alpha,default=0.2"`
	Beta  float32 `onnx:"beta,default=0.5"`
}

func init() {
	define(HardSigmoid, graph.Def[hardSigmoidAttrs]{
		Name: "HardSigmoid", Role: graph.Activation, Since: []int{1, 6, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__HardSigmoid.html",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[hardSigmoidAttrs],
		Run: func(a *hardSigmoidAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float32 {
				kernel.HardSigmoidF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), a.Alpha, a.Beta)
				return nil
			}
			k, m := float64(a.Alpha), float64(a.Beta)
			return unarySigned(c, func(x float64) float64 { return max(0, min(1, k*x+m)) }, nil)
		},
		Grad: func(a *hardSigmoidAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(HardSigmoidGrad, a, n.Out[0], dy[0])}, nil
		},
	})
	define(HardSigmoidGrad, graph.Def[hardSigmoidAttrs]{
		Domain: Private, Name: "HardSigmoidGrad", Since: []int{1}, Doc: "gradient of HardSigmoid",
		In: []graph.Formal{{Name: "Y", Types: floats, NoGrad: true}, {Name: "dY", Types: floats}}, Out: []graph.Formal{{Name: "dX"}},
		InPlace: [][2]int{{1, 0}, {0, 0}}, Infer: sameShape[hardSigmoidAttrs],
		Run: func(a *hardSigmoidAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float32 {
				kernel.ClipGradF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].F32(), math.SmallestNonzeroFloat32,
					math.Nextafter32(1, 0))
				kernel.MulScalarF32(c.Pool, c.Out[0].F32(), c.Out[0].F32(), a.Alpha)
				return nil
			}
			k := float64(a.Alpha)
			return map2(c, func(y, dy float64) float64 {
				if 0 < y && y < 1 {
					return k * dy
				}
				return 0
			})
		},
		// It is linear in dY.
		Grad: func(a *hardSigmoidAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{0, b.Add(HardSigmoidGrad, a, n.In[0], dy[0])}, nil
		},
		Lower: func(a *hardSigmoidAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			zero := b.Scalar(b.DType(n.In[0]), 0)
			inside := b.Add(And, nil, positive(b, n.In[0]), b.Add(Less, nil, n.In[0], one(b, n.In[0])))
			return []graph.Value{b.Add(Where, nil, inside, scaled(b, n.In[1], a.Alpha), zero)}, nil
		},
	})
}
