package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// RMSNormalization is Y = X/√(mean of X² + epsilon)·scale, the mean over axis and all that follow.
//
// Source: https://onnx.ai/onnx/operators/onnx__RMSNormalization.html. Deviation: as in LayerNormalization.
var RMSNormalization = new(graph.Spec)

func init() {
	define(RMSNormalization, graph.Def[layerNormAttrs]{
		Name: "RMSNormalization", Role: graph.Normalisation, Since: []int{23},
		Doc:     "https://onnx.ai/onnx/operators/onnx__RMSNormalization.html",
		In:      []graph.Formal{{Name: "X", Types: floats}, {Name: "scale", Types: floats, Weight: true}},
		Out:     []graph.Formal{{Name: "Y"}, {Name: "inv_rms", Optional: true, NoGrad: true, Private: true}},
		InPlace: [][2]int{{0, 0}},
		Types: func(_ *layerNormAttrs, in, out []tensor.DType) error {
			out[0] = in[1] // the type of scale, by the specification
			for i := range out[1:] {
				out[i+1] = in[0]
			}
			return oneType(in)
		},
		Infer: func(a *layerNormAttrs, c *graph.InferCtx) error { return inferLayerNorm(c, a.Axis) },
		Run: func(a *layerNormAttrs, c *graph.RunCtx) error {
			return runLayerNorm(c, a.Axis, a.Epsilon, true)
		},
		Grad: func(a *layerNormAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			k := &layerNormGradAttrs{Axis: a.Axis, Epsilon: a.Epsilon, RMS: true}
			g := b.AddNode("", LayerNormGrad, k, []graph.Value{n.In[0], n.In[1], 0, b.ExtraOutput(n, 1), dy[0]}, need)
			if g == nil {
				return nil, b.Err()
			}
			return g.Out, nil
		},
		PerExample: func(_ *layerNormAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			if in != 1 {
				return graph.PerExample{}, graph.ErrNoGradient
			}
			return perExampleBroadcast(b, mul(b, dy[0], mul(b, n.In[0], b.ExtraOutput(n, 1))), n.In[1]), nil
		},
	})
}
