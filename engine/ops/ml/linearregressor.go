package ml

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// LinearRegressor is Y = X·coefficientsᵀ + intercepts, transformed, for X [N,C] or [C]: Y [N,targets]. Its weights are attributes, which
// are not trained; the gradient goes to X.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_LinearRegressor.html. As defined, and other than in ONNX Runtime, post_transform
// is that of one target too.
var LinearRegressor = new(graph.Spec)

type linearRegressorAttrs struct {
	Coefficients  []float32 `onnx:"coefficients"`
	Intercepts    []float32 `onnx:"intercepts"`
	PostTransform string    `onnx:"post_transform,default=NONE"`
	Targets       int       `onnx:"targets,default=1"`
}

func (a *linearRegressorAttrs) model() (*linear, error) {
	return linearOf(a.Coefficients, a.Intercepts, a.Targets, a.PostTransform)
}

func init() {
	define(LinearRegressor, graph.Def[linearRegressorAttrs]{
		Name: "LinearRegressor", Since: []int{1},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: []graph.Formal{{Name: "Y"}},
		Types: outType[linearRegressorAttrs](tensor.Float32),
		Check: func(a *linearRegressorAttrs, _ *graph.Node) error {
			_, err := a.model()
			return err
		},
		Infer: func(a *linearRegressorAttrs, c *graph.InferCtx) error {
			l, err := a.model()
			if err != nil {
				return err
			}
			rows, err := l.rows(c)
			c.Out(0, rows, l.targets)
			return err
		},
		Run: func(a *linearRegressorAttrs, c *graph.RunCtx) error {
			l, err := a.model()
			if err != nil {
				return err
			}
			y := c.Out[0].F32()
			return l.run(c, func(row int, s []float32) {
				l.post.apply(s)
				copy(y[row*l.targets:], s)
			})
		},
		Lower: func(a *linearRegressorAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			l, err := a.model()
			if err != nil {
				return nil, err
			}
			return []graph.Value{cast(b, l.post.lower(b, l.lower(b, n.In[0])), tensor.Float32)}, nil
		},
	})
}
