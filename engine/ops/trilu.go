package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Trilu keeps the upper (or lower) triangle of each matrix of input, from (to) diagonal k, and sets the rest to zero.
//
// Source: https://onnx.ai/onnx/operators/onnx__Trilu.html
var Trilu = new(graph.Spec)

type triluAttrs struct {
	Upper bool `onnx:"upper,default=1"`
}

func init() {
	define(Trilu, graph.Def[triluAttrs]{
		Name: "Trilu", Since: []int{14}, Doc: "https://onnx.ai/onnx/operators/onnx__Trilu.html",
		In:  []graph.Formal{{Name: "input"}, {Name: "k", Optional: true, NoGrad: true, Types: int64s}},
		Out: []graph.Formal{{Name: "output"}},
		Infer: func(_ *triluAttrs, c *graph.InferCtx) error {
			if len(c.Shape(0)) < 2 {
				return fmt.Errorf("input has shape %v, want matrices", c.Shape(0))
			}
			if c.Has(1) && c.Shape(1).Len() != 1 {
				return fmt.Errorf("k has shape %v, want a scalar", c.Shape(1))
			}
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *triluAttrs, c *graph.RunCtx) error {
			k := 0
			if c.Has(1) {
				k = int(c.In[1].I64()[0])
			}
			s := c.In[0].Shape()
			r := len(s)
			rows, cols := s[r-2], s[r-1]
			k = min(max(k, -rows), cols)
			fill(c.Out[0], nil)
			// Row i keeps columns lo to hi of every matrix.
			w := walk{ext: []int{product(s[:r-2]), 0}, ds: []int{rows * cols, 1}, ss: []int{rows * cols, 1}}
			for i := range rows {
				lo, hi := min(max(i+k, 0), cols), cols
				if !a.Upper {
					lo, hi = 0, max(0, min(i+k+1, cols))
				}
				w.ext[1] = hi - lo
				w.do, w.so = i*cols+lo, i*cols+lo
				copyStrided(c.Pool, c.Out[0], c.In[0], w)
			}
			return nil
		},
		Grad: func(a *triluAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(Trilu, a, append([]graph.Value{dy[0]}, n.In[1:n.NumIn]...)...)), nil
		},
	})
}
