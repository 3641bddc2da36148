package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// LeakyRelu is Y = X where X >= 0, else alpha·X, elementwise.
//
// Source: https://onnx.ai/onnx/operators/onnx__LeakyRelu.html
var LeakyRelu = new(graph.Spec)

// LeakyReluGrad is the gradient of LeakyRelu: inputs X and dY, of one shape.
var LeakyReluGrad = new(graph.Spec)

type leakyReluAttrs struct {
	Alpha float32 `onnx:"alpha,default=0.01"`
}

func init() {
	define(LeakyRelu, graph.Def[leakyReluAttrs]{
		Name: "LeakyRelu", Role: graph.Activation, Since: []int{1, 6, 16}, Doc: "https://onnx.ai/onnx/operators/onnx__LeakyRelu.html",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[leakyReluAttrs],
		Run: func(a *leakyReluAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float32 {
				kernel.LeakyReluF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), a.Alpha)
				return nil
			}
			k := float64(a.Alpha)
			return unarySigned(c, func(x float64) float64 {
				if x < 0 {
					return k * x
				}
				return x
			}, nil)
		},
		Grad: func(a *leakyReluAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(LeakyReluGrad, a, n.In[0], dy[0])}, nil
		},
	})
	define(LeakyReluGrad, graph.Def[leakyReluAttrs]{
		Domain: Private, Name: "LeakyReluGrad", Since: []int{1}, Doc: "gradient of LeakyRelu",
		In: []graph.Formal{{Name: "X", Types: floats, NoGrad: true}, {Name: "dY", Types: floats}}, Out: []graph.Formal{{Name: "dX"}},
		InPlace: [][2]int{{1, 0}, {0, 0}}, Infer: sameShape[leakyReluAttrs],
		Run: func(a *leakyReluAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float32 {
				kernel.LeakyReluGradF32(c.Pool, c.Out[0].F32(), c.In[0].F32(), c.In[1].F32(), a.Alpha)
				return nil
			}
			k := float64(a.Alpha)
			return map2(c, func(x, dy float64) float64 {
				if x > 0 {
					return dy
				}
				return k * dy
			})
		},
		// It is linear in dY.
		Grad: func(a *leakyReluAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{0, b.Add(LeakyReluGrad, a, n.In[0], dy[0])}, nil
		},
		Lower: func(a *leakyReluAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(Where, nil, positive(b, n.In[0]), n.In[1], scaled(b, n.In[1], a.Alpha))}, nil
		},
	})
}
