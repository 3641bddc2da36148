package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// CenterCropPad cuts or pads input_data with zeros to the extents of shape along axes (all of them when left out), evenly at both ends; of
// an odd number the end has one more.
//
// Source: https://onnx.ai/onnx/operators/onnx__CenterCropPad.html
var CenterCropPad = new(graph.Spec)

type centerCropPadAttrs struct {
	Axes []int `onnx:"axes"`
}

func init() {
	define(CenterCropPad, graph.Def[centerCropPadAttrs]{
		Name: "CenterCropPad", Role: graph.Move, Since: []int{18}, Doc: "https://onnx.ai/onnx/operators/onnx__CenterCropPad.html",
		In:  []graph.Formal{{Name: "input_data"}, {Name: "shape", NoGrad: true, Types: indexes}},
		Out: []graph.Formal{{Name: "output_data"}},
		Infer: func(a *centerCropPadAttrs, c *graph.InferCtx) error {
			p, err := a.padding(planInts(c), c.Shape(0))
			if err != nil {
				return err
			}
			c.Out(0, p.out...)
			return nil
		},
		Run: func(a *centerCropPadAttrs, c *graph.RunCtx) error {
			p, err := a.padding(runInts(c), c.In[0].Shape())
			if err != nil {
				return err
			}
			p.run(c, "constant", nil)
			return nil
		},
		// Pad by half of the difference, rounded to zero, which is what Div does; cut off where that is negative.
		Lower: func(a *centerCropPadAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			have, want := b.Add(Shape, nil, n.In[0]), n.In[1]
			var axes []graph.Value
			if a.Axes != nil {
				have = b.Add(Gather, &gatherAttrs{}, have, b.Ints(a.Axes...))
				axes = []graph.Value{0, b.Ints(a.Axes...)}
			}
			if b.DType(want) != tensor.Int64 {
				want = b.Add(Cast, CastTo(tensor.Int64), want)
			}
			more := sub(b, want, have)
			before := div(b, more, b.Ints(2))
			pads := b.Add(Concat, &concatAttrs{}, before, sub(b, more, before))
			return []graph.Value{b.Add(Pad, nil, append([]graph.Value{n.In[0], pads}, axes...)...)}, nil
		},
	})
}

func (a *centerCropPadAttrs) padding(ints intsFunc, s tensor.Shape) (*padding, error) {
	want, err := ints(1)
	if err != nil {
		return nil, err
	}
	axes := a.Axes
	if axes == nil {
		for k := range s {
			axes = append(axes, k)
		}
	}
	if len(want) != len(axes) {
		return nil, fmt.Errorf("shape has %d extents for %d axes", len(want), len(axes))
	}
	pads := make([]int, 2*len(axes))
	for i, ax := range axes {
		k, err := axis(ax, len(s))
		if err != nil {
			return nil, err
		}
		if want[i] < 0 || want[i] > mostExtent {
			return nil, fmt.Errorf("shape asks for an extent of %d", want[i])
		}
		more := want[i] - s[k]
		pads[i] = more / 2
		pads[len(axes)+i] = more - more/2
	}
	return newPadding(s, pads, axes, "constant")
}
