package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// variadic describes an operator that folds any number of operands, with broadcasting, which defineVariadic completes.
type variadic struct {
	name   string
	role   graph.Role
	since  []int
	out    string
	kind   binaryKind
	types  []tensor.DType
	finish func(c *graph.RunCtx, y *tensor.Tensor) // applied to the fold of all; may be nil
	grad   func(b *graph.Builder, n *graph.Node, dy graph.Value, need []bool) []graph.Value
}

// defineVariadic defines the operator of d, in s. Versions before 8 do not broadcast; their models are the same without.
func defineVariadic(s *graph.Spec, d variadic) {
	define(s, graph.Def[noAttrs]{
		Name: d.name, Role: d.role, Since: d.since, Doc: "https://onnx.ai/onnx/operators/onnx__" + d.name + ".html",
		In: []graph.Formal{{Name: "data_0", Variadic: true, Types: d.types}}, Out: []graph.Formal{{Name: d.out}},
		InPlace: [][2]int{{0, 0}, {1, 0}}, Types: sameOperands[noAttrs],
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			for i := range c.In[1:] {
				var err error
				if s, err = broadcast(s, c.Shape(i+1)); err != nil {
					return err
				}
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			y, acc := c.Out[0], c.In[0]
			if len(c.In) == 1 {
				copy(y.Bytes(), acc.Bytes())
			}
			for _, x := range c.In[1:] {
				if err := binaryInto(d.kind, c, y, acc, acc.Shape(), x, x.Shape()); err != nil {
					return err
				}
				acc = y
			}
			if d.finish != nil {
				d.finish(c, y)
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return d.grad(b, n, dy[0], need), nil
		},
	})
}

// gradExtreme is the gradient of Max and Min: dY goes to the operands that equal the result, in equal parts when they are several.
//
// This is what PyTorch does for maximum and amax.
func gradExtreme(b *graph.Builder, n *graph.Node, dy graph.Value, need []bool) []graph.Value {
	dx := make([]graph.Value, n.NumIn)
	masks := make([]graph.Value, n.NumIn)
	var count graph.Value
	for i, x := range n.In[:n.NumIn] {
		masks[i] = truth(b, b.Add(Equal, nil, x, n.Out[0]), dy)
		count = add(b, count, masks[i])
	}
	share := div(b, dy, count)
	for i, x := range n.In[:n.NumIn] {
		if need[i] {
			dx[i] = sumLike(b, mul(b, share, masks[i]), x)
		}
	}
	return dx
}
