package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// RowGram is XᵀX/P for X taken as P rows of its last axis: the uncentred second moment of what a dense layer reads, [n,n].
var RowGram = new(graph.Spec)

func init() {
	define(RowGram, graph.Def[noAttrs]{
		Domain: Private, Name: "RowGram", Since: []int{1}, Doc: "second moment of rows",
		In:  []graph.Formal{{Name: "X", Types: []tensor.DType{tensor.Float32}}},
		Out: []graph.Formal{{Name: "S"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			if len(s) < 2 {
				return fmt.Errorf("input X has shape %v, want rows", s)
			}
			c.Out(0, s[len(s)-1], s[len(s)-1])
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			n := c.In[0].Dim(-1)
			rows := c.In[0].Len() / max(n, 1)
			kernel.Sgemm(c.Pool, true, false, n, n, rows, 1/float32(max(rows, 1)), c.In[0].F32(), n, c.In[0].F32(), n, 0, c.Out[0].F32(),
				n)
			return nil
		},
	})
}
