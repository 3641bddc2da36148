package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// ScatterElements is data with the elements that indices address along an axis replaced by updates, or combined with them by
// reduction: add, mul, max or min. Which of several updates of one element replaces it is the last one's, in row-major order.
//
// Source: https://onnx.ai/onnx/operators/onnx__ScatterElements.html. Deviations: the gradient of reductions max and min
// goes to every operand that has the result's value; that of mul is right where updates are 0, its own gradient there only if one is.
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
				put: func(x, updates graph.Value, reduction string) graph.Value {
					return b.Add(ScatterElements, &scatterAttrs{Axis: a.Axis, Reduction: reduction}, x, n.In[1], updates)
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

// scatterRules are what the gradient of a scatter is made of: what the indices address in x, and x with updates there.
type scatterRules struct {
	take func(x graph.Value) graph.Value
	put  func(x, updates graph.Value, reduction string) graph.Value
}

func gradScatter(b *graph.Builder, n *graph.Node, dy graph.Value, need []bool, reduction string, r scatterRules) ([]graph.Value, error) {
	dx := make([]graph.Value, n.NumIn)
	data, updates := n.In[0], n.In[2]
	switch reduction {
	case "none":
		if need[0] {
			dx[0] = r.put(dy, Fill(b, updates, 0), "none")
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
	case "mul":
		if need[0] {
			dx[0] = mul(b, dy, r.put(Fill(b, data, 1), updates, "mul"))
		}
		if need[2] {
			dx[2] = mul(b, r.take(mul(b, dy, data)), otherFactors(b, data, updates, r))
		}
	}
	return dx, nil
}

// otherFactors is, for each update, the product of the other updates of its element: of those that are not 0, without the update itself;
// 0 where another is 0.
func otherFactors(b *graph.Builder, data, updates graph.Value, r scatterRules) graph.Value {
	d := b.DType(updates)
	isZero := b.Add(Equal, nil, updates, b.Scalar(d, 0))
	factor := b.Add(Where, nil, isZero, b.Scalar(d, 1), updates)
	zero := b.Add(Cast, CastTo(d), isZero)
	zeros := r.take(r.put(Fill(b, data, 0), zero, "add"))
	others := div(b, r.take(r.put(Fill(b, data, 1), factor, "mul")), factor)
	return b.Add(Where, nil, b.Add(Equal, nil, zeros, zero), others, b.Scalar(d, 0))
}
