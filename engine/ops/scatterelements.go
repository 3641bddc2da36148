package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// ScatterElements is data with the elements that indices address along an axis replaced by updates, or combined with them by
// reduction: add, mul, max or min. Which of several updates of one element replaces it is the last one's, in row-major order.
//
// Source: https://onnx.ai/onnx/operators/onnx__ScatterElements.html. Deviations: reduction mul has no gradient; the gradient of max and
// min goes to every operand that has the result's value.
var ScatterElements = new(graph.Spec)

// Scatter is the name that ScatterElements had before opset 11.
//
// Source: https://onnx.ai/onnx/operators/onnx__Scatter.html
var Scatter = new(graph.Spec)

type scatterAttrs struct {
	Axis      int    `onnx:"axis,default=0"`
	Reduction string `onnx:"reduction,default=none"`
}

func init() {
	def := graph.Def[scatterAttrs]{
		Name: "ScatterElements", Since: []int{11, 13, 16, 18}, Doc: "https://onnx.ai/onnx/operators/onnx__ScatterElements.html",
		In:      []graph.Formal{{Name: "data"}, {Name: "indices", NoGrad: true, Types: indexes}, {Name: "updates"}},
		Out:     []graph.Formal{{Name: "output"}},
		InPlace: [][2]int{{0, 0}},
		Check:   func(a *scatterAttrs, _ *graph.Node) error { return checkReduction(a.Reduction) },
		Infer: func(a *scatterAttrs, c *graph.InferCtx) error {
			if _, err := elementAxis(a.Axis, c.Shape(0), c.Shape(1)); err != nil {
				return err
			}
			if !c.Shape(1).Equal(c.Shape(2)) || c.DType(0) != c.DType(2) {
				return fmt.Errorf("updates are %v%v for indices of shape %v and data of type %v", c.DType(2), c.Shape(2), c.Shape(1),
					c.DType(0))
			}
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *scatterAttrs, c *graph.RunCtx) error {
			at, err := elementsAt(a.Axis, c.In[0].Shape(), c.In[1])
			if err != nil {
				return err
			}
			return scatter(c, at, 1, a.Reduction)
		},
		Grad: func(a *scatterAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			take := &gatherAttrs{Axis: a.Axis}
			return gradScatter(b, n, dy[0], need, a.Reduction, scatterRules{
				take: func(x graph.Value) graph.Value { return b.Add(GatherElements, take, x, n.In[1]) },
				erase: func(x graph.Value) graph.Value {
					return b.Add(ScatterElements, &scatterAttrs{Axis: a.Axis, Reduction: "none"}, x, n.In[1], Fill(b, n.In[2], 0))
				},
			})
		},
	}
	define(ScatterElements, def)
	def.Name, def.Since, def.Doc = "Scatter", []int{9, 11}, "https://onnx.ai/onnx/operators/onnx__Scatter.html"
	define(Scatter, def)
}

func checkReduction(r string) error {
	switch r {
	case "none", "add", "mul", "max", "min":
		return nil
	}
	return fmt.Errorf("reduction is %q, want none, add, mul, max or min", r)
}

// scatter is the kernel of ScatterElements and ScatterND: updates c.In[2] to the blocks of k elements at at.
func scatter(c *graph.RunCtx, at []int, k int, reduction string) error {
	copy(c.Out[0].Bytes(), c.In[0].Bytes())
	copy(c.Out[0].Strings(), c.In[0].Strings())
	if reduction == "none" {
		putBlocks(c.Out[0], c.In[2], at, k)
		return nil
	}
	return reduceBlocks(c.Pool, c.Out[0], c.In[2], at, k, reduction)
}

// scatterRules are what the gradient of a scatter is made of: what the indices address in x, and x with zeros there.
type scatterRules struct {
	take, erase func(x graph.Value) graph.Value
}

func gradScatter(b *graph.Builder, n *graph.Node, dy graph.Value, need []bool, reduction string, r scatterRules) ([]graph.Value, error) {
	dx := make([]graph.Value, n.NumIn)
	data, updates := n.In[0], n.In[2]
	switch reduction {
	case "none":
		if need[0] {
			dx[0] = r.erase(dy)
		}
		if need[2] {
			dx[2] = r.take(dy)
		}
	case "add":
		dx[0] = dy
		if need[2] {
			dx[2] = r.take(dy)
		}
	case "max", "min":
		zero := b.Scalar(b.DType(dy), 0)
		if need[0] {
			dx[0] = b.Add(Where, nil, b.Add(Equal, nil, data, n.Out[0]), dy, zero)
		}
		if need[2] {
			dx[2] = b.Add(Where, nil, b.Add(Equal, nil, updates, r.take(n.Out[0])), r.take(dy), zero)
		}
	default:
		return nil, fmt.Errorf("reduction %s: %w", reduction, graph.ErrNoGradient)
	}
	return dx, nil
}
