package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// GatherElements is Y[…,i,…] = data[…,indices[…,i,…],…], i on the given axis.
//
// Source: https://onnx.ai/onnx/operators/onnx__GatherElements.html
var GatherElements = new(graph.Spec)

// GatherElementsGrad adds up dY at the elements that GatherElements takes, in the shape of like. Inputs dY, indices, like.
var GatherElementsGrad = new(graph.Spec)

func init() {
	define(GatherElements, graph.Def[gatherAttrs]{
		Name: "GatherElements", Role: graph.Move, Since: []int{11, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__GatherElements.html",
		In: []graph.Formal{{Name: "data"}, {Name: "indices", NoGrad: true, Types: indexes}}, Out: []graph.Formal{{Name: "output"}},
		Infer: func(a *gatherAttrs, c *graph.InferCtx) error {
			if _, err := elementAxis(a.Axis, c.Shape(0), c.Shape(1)); err != nil {
				return err
			}
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(a *gatherAttrs, c *graph.RunCtx) error {
			at, err := elementsAt(a.Axis, c.In[0].Shape(), c.In[1])
			if err != nil {
				return err
			}
			takeBlocks(c.Pool, c.Out[0], c.In[0], at, 1)
			return nil
		},
		Grad: func(a *gatherAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(GatherElementsGrad, a, dy[0], n.In[1], n.In[0])), nil
		},
	})
	define(GatherElementsGrad, graph.Def[gatherAttrs]{
		Domain: Private, Name: "GatherElementsGrad", Since: []int{1}, Doc: "gradient of GatherElements",
		In:  []graph.Formal{{Name: "dY", Types: floats}, {Name: "indices", NoGrad: true, Types: indexes}, {Name: "like", NoGrad: true}},
		Out: []graph.Formal{{Name: "dX"}},
		Infer: func(a *gatherAttrs, c *graph.InferCtx) error {
			if _, err := elementAxis(a.Axis, c.Shape(2), c.Shape(1)); err != nil {
				return err
			}
			if !c.Shape(0).Equal(c.Shape(1)) {
				return fmt.Errorf("dY has shape %v, indices %v", c.Shape(0), c.Shape(1))
			}
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(a *gatherAttrs, c *graph.RunCtx) error {
			at, err := elementsAt(a.Axis, c.Out[0].Shape(), c.In[1])
			if err != nil {
				return err
			}
			fill(c.Out[0], nil)
			return reduceBlocks(c.Pool, c.Out[0], c.In[0], at, 1, "add")
		},
		Grad: func(a *gatherAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(GatherElements, a, dy[0], n.In[1])), nil
		},
		Lower: func(a *gatherAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			zeros := b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: floatScalar(b.DType(n.In[0]), 0).Reshape(1)},
				b.Add(Shape, nil, n.In[2]))
			return []graph.Value{b.Add(ScatterElements, &scatterAttrs{Axis: a.Axis, Reduction: "add"}, zeros, n.In[1], n.In[0])}, nil
		},
	})
}

// elementAxis checks that indices address elements of data along axis at.
func elementAxis(at int, data, indices tensor.Shape) (int, error) {
	k, err := axis(at, len(data))
	if err != nil {
		return 0, err
	}
	if len(indices) != len(data) {
		return 0, fmt.Errorf("indices of shape %v do not address elements of shape %v", indices, data)
	}
	for i := range data {
		if i != k && indices[i] > data[i] {
			return 0, fmt.Errorf("indices of shape %v do not address elements of shape %v", indices, data)
		}
	}
	return k, nil
}

// elementsAt is the element of data that each index addresses.
func elementsAt(at int, data tensor.Shape, indices *tensor.Tensor) ([]int, error) {
	s := indices.Shape()
	k, err := elementAxis(at, data, s)
	if err != nil {
		return nil, err
	}
	idx, err := indicesIn(indices, data[k])
	if err != nil || len(idx) == 0 {
		return idx, err
	}
	st := strides(data)
	base := make([]int, len(st))
	copy(base, st)
	base[k] = 0
	o := newOdometer(walk{ss: base, ds: base}, s, 0)
	for i := range idx {
		idx[i] = o.s + idx[i]*st[k]
		o.next()
	}
	return idx, nil
}
