package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Reshape gives data another shape: 0 keeps the extent of that axis (unless allowzero), one -1 is what remains.
//
// Source: https://onnx.ai/onnx/operators/onnx__Reshape.html
var Reshape = new(graph.Spec)

var reshapeOld = new(graph.Spec)

// ReshapeLike gives X the shape of a reference: the gradient of everything that only changes shapes.
var ReshapeLike = new(graph.Spec)

type reshapeAttrs struct {
	AllowZero bool `onnx:"allowzero,default=0"`
}

type reshapeOldAttrs struct {
	Shape []int `onnx:"shape"`
}

func init() {
	define(Reshape, graph.Def[reshapeAttrs]{
		Name: "Reshape", Role: graph.View, Since: []int{5, 13, 14, 19, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__Reshape.html",
		In:  []graph.Formal{{Name: "data"}, {Name: "shape", NoGrad: true, Types: int64s}},
		Out: []graph.Formal{{Name: "reshaped"}}, View: true,
		Infer: func(a *reshapeAttrs, c *graph.InferCtx) error {
			target, err := c.Ints(1)
			if err != nil {
				return err
			}
			out, err := reshaped(c.Shape(0), target, a.AllowZero)
			if err != nil {
				return err
			}
			c.Out(0, out...)
			return nil
		},
		Run:  runView[reshapeAttrs],
		Grad: gradReshape[reshapeAttrs],
	})
	define(reshapeOld, graph.Def[reshapeOldAttrs]{
		Name: "Reshape", Role: graph.View, Since: []int{1}, Doc: "https://onnx.ai/onnx/operators/onnx__Reshape.html",
		In: []graph.Formal{{Name: "data"}}, Out: []graph.Formal{{Name: "reshaped"}}, View: true,
		Infer: func(a *reshapeOldAttrs, c *graph.InferCtx) error {
			out, err := reshaped(c.Shape(0), a.Shape, false)
			if err != nil {
				return err
			}
			c.Out(0, out...)
			return nil
		},
		Run:  runView[reshapeOldAttrs],
		Grad: gradReshape[reshapeOldAttrs],
	})
	define(ReshapeLike, graph.Def[noAttrs]{
		Domain: Private, Name: "ReshapeLike", Since: []int{1}, Doc: "X in the shape of like",
		In: []graph.Formal{{Name: "X"}, {Name: "like", NoGrad: true, Shape: true}}, Out: []graph.Formal{{Name: "Y"}}, View: true,
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			if c.Shape(0).Len() != c.Shape(1).Len() {
				return fmt.Errorf("shape %v does not hold the elements of %v", c.Shape(1), c.Shape(0))
			}
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run:  runView[noAttrs],
		Grad: gradReshape[noAttrs],
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{inShape(b, n.In[0], b.Add(Shape, nil, n.In[1]))}, nil
		},
	})
}

// gradReshape is the gradient of every operator that only changes the shape of its first input.
func gradReshape[A any](_ *A, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
	return only(n, 0, b.Add(ReshapeLike, nil, dy[0], n.In[0])), nil
}

// reshaped resolves the 0 and -1 of a target shape.
func reshaped(in tensor.Shape, target []int, allowZero bool) (tensor.Shape, error) {
	out := make(tensor.Shape, len(target))
	rest, n := -1, 1
	for i, d := range target {
		switch {
		case d == 0 && !allowZero:
			if i >= len(in) {
				return nil, fmt.Errorf("target %v keeps axis %d, which shape %v does not have", target, i, in)
			}
			d = in[i]
		case d == -1:
			if rest >= 0 {
				return nil, fmt.Errorf("target %v has more than one -1", target)
			}
			rest = i
			continue
		case d < 0:
			return nil, fmt.Errorf("target %v has the extent %d", target, d)
		}
		out[i] = d
		n *= max(d, 0)
	}
	if rest >= 0 {
		if n == 0 || in.Len()%n != 0 {
			return nil, fmt.Errorf("shape %v has %d elements, which do not fill %v", in, in.Len(), target)
		}
		out[rest] = in.Len() / n
	}
	if k, err := out.CheckedLen(tensor.Float32); err != nil || k != in.Len() {
		return nil, fmt.Errorf("shape %v has %d elements, which do not fill %v", in, in.Len(), target)
	}
	return out, nil
}
