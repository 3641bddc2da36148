package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Split cuts input along an axis into parts: of the extents that split gives, or as equal as possible.
//
// Source: https://onnx.ai/onnx/operators/onnx__Split.html
var Split = new(graph.Spec)

var split1, split2, split13 = new(graph.Spec), new(graph.Spec), new(graph.Spec)

type splitAttrs struct {
	Axis       int  `onnx:"axis,default=0"`
	NumOutputs *int `onnx:"num_outputs"`
}

type splitOldAttrs struct {
	Axis  int   `onnx:"axis,default=0"`
	Split []int `onnx:"split"`
}

func init() {
	const doc = "https://onnx.ai/onnx/operators/onnx__Split.html"
	out := []graph.Formal{{Name: "outputs", Variadic: true}}
	def := graph.Def[splitAttrs]{
		Name: "Split", Role: graph.Move, Since: []int{18}, Doc: doc, Out: out,
		In: []graph.Formal{{Name: "input"}, {Name: "split", Optional: true, NoGrad: true, Types: int64s}},
		Infer: func(a *splitAttrs, c *graph.InferCtx) error {
			var sizes []int
			if c.Has(1) {
				var err error
				if sizes, err = c.Ints(1); err != nil {
					return err
				}
			}
			if n := a.NumOutputs; n != nil && *n != c.NumOut() {
				return fmt.Errorf("num_outputs is %d, the node has %d", *n, c.NumOut())
			}
			return inferSplit(a.Axis, sizes, c.NumOut(), a.NumOutputs != nil, c)
		},
		Run: func(a *splitAttrs, c *graph.RunCtx) error { return runSplit(a.Axis, c) },
		Grad: func(a *splitAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return gradSplit(a.Axis, b, n, dy)
		},
	}
	define(Split, def)
	def.Since = []int{13}
	def.Check = func(a *splitAttrs, _ *graph.Node) error {
		if a.NumOutputs != nil {
			return fmt.Errorf("attribute num_outputs exists from opset 18")
		}
		return nil
	}
	define(split13, def)
	old := graph.Def[splitOldAttrs]{
		Name: "Split", Role: graph.Move, Since: []int{2, 11}, Doc: doc, Out: out, In: def.In[:1],
		Infer: func(a *splitOldAttrs, c *graph.InferCtx) error {
			return inferSplit(a.Axis, a.Split, c.NumOut(), false, c)
		},
		Run: func(a *splitOldAttrs, c *graph.RunCtx) error { return runSplit(a.Axis, c) },
		Grad: func(a *splitOldAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return gradSplit(a.Axis, b, n, dy)
		},
	}
	define(split2, old)
	// Version 1 may have the extents as an input, in the type of the data.
	old.Since = []int{1}
	old.In = []graph.Formal{{Name: "input"}, {Name: "split", Optional: true, NoGrad: true}}
	old.Infer = func(a *splitOldAttrs, c *graph.InferCtx) error {
		sizes := a.Split
		if c.Has(1) {
			t, err := c.Value(1)
			if err != nil {
				return err
			}
			sizes = make([]int, t.Len())
			for i, x := range t.Float64s() {
				sizes[i] = int(x)
			}
		}
		return inferSplit(a.Axis, sizes, c.NumOut(), false, c)
	}
	define(split1, old)
}

// inferSplit sets the shapes of parts of the given extents, or of n equal parts, of which the last is smaller when uneven is allowed.
func inferSplit(at int, sizes []int, n int, uneven bool, c *graph.InferCtx) error {
	s := c.Shape(0)
	k, err := axis(at, len(s))
	if err != nil {
		return err
	}
	if sizes == nil {
		if n <= 0 || (s[k]%n != 0 && !uneven) {
			return fmt.Errorf("axis %d of extent %d does not split into %d equal parts", k, s[k], n)
		}
		each, left := (s[k]+n-1)/n, s[k]
		sizes = make([]int, c.NumOut())
		for i := range sizes {
			sizes[i] = min(each, left)
			left -= sizes[i]
		}
	} else {
		left := s[k]
		for _, x := range sizes {
			if x < 0 || x > left {
				left = -1
				break
			}
			left -= x
		}
		if left != 0 {
			return fmt.Errorf("parts of extents %v do not fill axis %d of extent %d", sizes, k, s[k])
		}
		if len(sizes) != c.NumOut() {
			return fmt.Errorf("%d extents for %d outputs", len(sizes), c.NumOut())
		}
	}
	for i := range c.NumOut() {
		out := append([]int{}, s...)
		out[k] = sizes[i]
		c.Out(i, out...)
	}
	return nil
}

func runSplit(at int, c *graph.RunCtx) error {
	k, err := axis(at, c.In[0].Rank())
	if err != nil {
		return err
	}
	sizes, err := splitSizes(c, k)
	if err != nil {
		return err
	}
	pos := 0
	for i, t := range c.Out {
		if t != nil {
			copyPart(c, t, c.In[0], k, pos, false)
		}
		pos += sizes[i]
	}
	return nil
}

// splitSizes are the extents of all parts, also of those that nobody reads.
func splitSizes(c *graph.RunCtx, k int) ([]int, error) {
	ic := graph.NewInferCtx(c.Node, operands(c), 1)
	if err := c.Node.Op.Infer(c.Node.Attrs, ic); err != nil {
		return nil, err
	}
	shapes, _, _ := ic.Result()
	sizes := make([]int, len(shapes))
	for i, s := range shapes {
		sizes[i] = s[k]
	}
	return sizes, nil
}

// operands describes the inputs of a run to a shape rule.
func operands(c *graph.RunCtx) []graph.Operand {
	in := make([]graph.Operand, c.Node.NumIn)
	for i, t := range c.In[:c.Node.NumIn] {
		if t != nil {
			in[i] = graph.Operand{Present: true, DType: t.DType(), Shape: t.Shape(), Value: t}
		}
	}
	return in
}

// gradSplit joins the gradients of the parts again. The extent of a part that nobody reads is not known to the graph, so it is made to
// exist.
func gradSplit(at int, b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	parts := make([]graph.Value, len(n.Out))
	for i := range parts {
		if parts[i] = dy[i]; parts[i] == 0 {
			parts[i] = Fill(b, b.ExtraOutput(n, i), 0)
		}
	}
	return only(n, 0, b.Add(Concat, &concatAttrs{Axis: at}, parts...)), nil
}
