package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Columns is X [N,…,K,T] with the last two axes exchanged, [N,…,T,K]: its columns as rows.
var Columns = new(graph.Spec)

func init() {
	define(Columns, graph.Def[noAttrs]{
		Domain: Private, Name: "Columns", Since: []int{1}, Doc: "the last two axes exchanged",
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s := slices.Clone(c.Shape(0))
			r := len(s)
			if r < 3 {
				return fmt.Errorf("shape %v has no columns for each example: %w", s, graph.ErrNoGradient)
			}
			s[r-1], s[r-2] = s[r-2], s[r-1]
			c.Out(0, s...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			out := c.Out[0].Shape()
			st := strides(c.In[0].Shape())
			r := len(st)
			st[r-1], st[r-2] = st[r-2], st[r-1]
			copyStrided(c.Pool, c.Out[0], c.In[0], walk{ext: out, ds: strides(out), ss: st})
			return nil
		},
	})
}
