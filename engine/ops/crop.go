package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Crop cuts the border [left,top,right,bottom] off X [N,C,H,W]; with scale [h,w] the result is the h×w window at (top,left).
// It was experimental in the first operator set and is found in models of that time.
//
// Source: https://github.com/onnx/onnx/blob/rel-1.2.1/docs/Operators.md#experimental-crop
var Crop = new(graph.Spec)

type cropAttrs struct {
	Border []int `onnx:"border"`
	Scale  []int `onnx:"scale"`
}

func init() {
	define(Crop, graph.Def[cropAttrs]{
		Name: "Crop", Role: graph.Move, Since: []int{1},
		Doc: "https://github.com/onnx/onnx/blob/rel-1.2.1/docs/Operators.md#experimental-crop",
		In:  []graph.Formal{{Name: "input"}}, Out: []graph.Formal{{Name: "output"}},
		Infer: func(a *cropAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			if len(s) != 4 {
				return fmt.Errorf("input has shape %v, want [N,C,H,W]", s)
			}
			starts, ends, err := a.window()
			if err != nil {
				return err
			}
			r, err := newRanges(s, starts, ends, []int{2, 3}, nil)
			if err != nil {
				return err
			}
			if a.Scale != nil && (r.count[2] != a.Scale[0] || r.count[3] != a.Scale[1]) {
				return fmt.Errorf("the %d×%d window at (%d,%d) does not fit into %v", a.Scale[0], a.Scale[1], starts[0], starts[1], s)
			}
			c.Out(0, r.count...)
			return nil
		},
		Run: func(a *cropAttrs, c *graph.RunCtx) error {
			starts, ends, err := a.window()
			if err != nil {
				return err
			}
			r, err := newRanges(c.In[0].Shape(), starts, ends, []int{2, 3}, nil)
			if err != nil {
				return err
			}
			r.take(c, c.Out[0], c.In[0])
			return nil
		},
		Lower: func(a *cropAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			starts, ends, err := a.window()
			if err != nil {
				return nil, err
			}
			return []graph.Value{b.Add(Slice, nil, n.In[0], b.Ints(starts...), b.Ints(ends...), b.Ints(2, 3))}, nil
		},
	})
}

// window is the range of rows and columns as Slice has it.
func (a *cropAttrs) window() (starts, ends []int, err error) {
	border := a.Border
	if border == nil {
		border = []int{0, 0, 0, 0}
	}
	if len(border) != 4 || min(border[0], border[1], border[2], border[3]) < 0 {
		return nil, nil, fmt.Errorf("border %v: want left, top, right, bottom", border)
	}
	starts = []int{border[1], border[0]}
	if a.Scale != nil {
		if len(a.Scale) != 2 || min(a.Scale[0], a.Scale[1]) < 0 {
			return nil, nil, fmt.Errorf("scale %v: want height, width", a.Scale)
		}
		return starts, []int{starts[0] + a.Scale[0], starts[1] + a.Scale[1]}, nil
	}
	fromEnd := func(n int) int {
		if n == 0 {
			return math.MaxInt
		}
		return -n
	}
	return starts, []int{fromEnd(border[3]), fromEnd(border[2])}, nil
}
