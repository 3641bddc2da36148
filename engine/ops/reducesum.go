package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// ReduceSum is the sum over axes: all when none are given, or, with noop_with_empty_axes, none.
//
// Source: https://onnx.ai/onnx/operators/onnx__ReduceSum.html. Versions before 13 have the axes as an attribute.
var ReduceSum = new(graph.Spec)

// ReduceSumLike is dY summed over the axes along which like, aligned with the last axes of dY, was broadcast: the
// gradient of an operand that broadcasts. Its output has like's shape.
var ReduceSumLike = new(graph.Spec)

func init() {
	defineReduce(ReduceSum, reduction{
		name: "ReduceSum", since: []int{13}, old: []int{1, 11}, kind: kernel.ReduceSum,
		grad: func(r reduceNode, _, _, dy graph.Value) graph.Value { return r.back(dy) },
	})
	define(ReduceSumLike, graph.Def[noAttrs]{
		Domain: Private, Name: "ReduceSumLike", Since: []int{1}, Doc: "gradient of broadcasting",
		In:  []graph.Formal{{Name: "dY", Types: floats}, {Name: "like", NoGrad: true, Shape: true}},
		Out: []graph.Formal{{Name: "dX"}}, InPlace: [][2]int{{0, 0}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s, err := broadcast(c.Shape(0), c.Shape(1))
			if err != nil || !s.Equal(c.Shape(0)) {
				return fmt.Errorf("shape %v does not broadcast to %v", c.Shape(1), c.Shape(0))
			}
			c.Out(0, c.Shape(1)...)
			if s.Len() == c.Shape(1).Len() {
				c.Same()
			}
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			return sumInto(c, c.Out[0], c.In[0])
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(ExpandLike, nil, dy[0], n.In[0])), nil
		},
		Lower: lowerReduceSumLike,
	})
}

// lowerReduceSumLike finds the axes to sum over from the shapes: those where like, with ones in front, differs from dY.
func lowerReduceSumLike(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	s, l := b.Add(Shape, nil, n.In[0]), b.Add(Shape, nil, n.In[1])
	missing := b.Add(Sub, nil, b.Add(Shape, nil, s), b.Add(Shape, nil, l))
	front := b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: tensor.From([]int64{1}, 1)}, missing)
	differs := b.Add(Not, nil, b.Add(Equal, nil, b.Add(Concat, &concatAttrs{Axis: 0}, front, l), s))
	axes := b.Add(Reshape, nil, b.Add(NonZero, nil, differs), b.Ints(-1))
	sum := b.Add(ReduceSum, &reduceAttrs{KeepDims: true, NoopEmpty: true}, n.In[0], axes)
	return []graph.Value{inShape(b, sum, l)}, nil
}

// sumInto is out = x summed over the axes along which out, aligned with the last axes of x, broadcasts. The two may share storage when
// they have as many elements.
func sumInto(c *graph.RunCtx, out, x *tensor.Tensor) error {
	s, l := x.Shape(), out.Shape()
	if s.Len() == l.Len() {
		copy(out.Bytes(), x.Bytes())
		return nil
	}
	var axes []int
	for i := range s {
		if k := i - len(s) + len(l); k < 0 || l[k] == 1 {
			axes = append(axes, i)
		}
	}
	return reduceInto(kernel.ReduceSum, c, out, x, axes)
}
