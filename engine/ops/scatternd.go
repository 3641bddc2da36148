package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// ScatterND is data with the slices that the vectors along the last axis of indices address replaced by updates, or combined with
// them by reduction: add, mul, max or min.
//
// Source: https://onnx.ai/onnx/operators/onnx__ScatterND.html. Deviations: those of ScatterElements.
var ScatterND = new(graph.Spec)

type scatterNDAttrs struct {
	Reduction string `onnx:"reduction,default=none"`
}

func init() {
	define(ScatterND, graph.Def[scatterNDAttrs]{
		Name: "ScatterND", Since: []int{11, 13, 16, 18}, Doc: "https://onnx.ai/onnx/operators/onnx__ScatterND.html",
		In:      []graph.Formal{{Name: "data"}, {Name: "indices", NoGrad: true, Types: int64s}, {Name: "updates"}},
		Out:     []graph.Formal{{Name: "output"}},
		InPlace: [][2]int{{0, 0}},
		Check:   func(a *scatterNDAttrs, _ *graph.Node) error { return checkReduction(a.Reduction) },
		Infer: func(_ *scatterNDAttrs, c *graph.InferCtx) error {
			s, err := ndShape(0, c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			if !s.Equal(c.Shape(2)) || c.DType(0) != c.DType(2) {
				return fmt.Errorf("updates are %v%v, want %v%v", c.DType(2), c.Shape(2), c.DType(0), s)
			}
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *scatterNDAttrs, c *graph.RunCtx) error {
			at, inner, err := ndAt(0, c.In[0].Shape(), c.In[1])
			if err != nil {
				return err
			}
			return scatter(c, at, inner, a.Reduction)
		},
		Grad: func(a *scatterNDAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradScatter(b, n, dy[0], need, a.Reduction, scatterRules{
				take: func(x graph.Value) graph.Value { return b.Add(GatherND, nil, x, n.In[1]) },
				put: func(x, updates graph.Value, reduction string) graph.Value {
					return b.Add(ScatterND, &scatterNDAttrs{Reduction: reduction}, x, n.In[1], updates)
				},
			})
		},
	})
}
