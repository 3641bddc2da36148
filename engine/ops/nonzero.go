package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// NonZero lists the indices of the elements that are not zero, in row-major order: [rank, count].
//
// Source: https://onnx.ai/onnx/operators/onnx__NonZero.html
var NonZero = new(graph.Spec)

func init() {
	define(NonZero, graph.Def[noAttrs]{
		Name: "NonZero", Since: []int{9, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__NonZero.html",
		In: []graph.Formal{{Name: "X", NoGrad: true}}, Out: []graph.Formal{{Name: "Y"}},
		Types: outType[noAttrs](tensor.Int64),
		Infer: func(*noAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			t, err := c.In[0].Convert(tensor.Bool)
			if err != nil {
				return err
			}
			var at []int
			for i, x := range tensor.Data[bool](t) {
				if x {
					at = append(at, i)
				}
			}
			s := t.Shape()
			st, n := strides(s), len(at)
			y, err := c.Alloc(0, tensor.Int64, len(s), n)
			if err != nil {
				return err
			}
			out := y.I64()
			for k := range s {
				for j, i := range at {
					out[k*n+j] = int64(i / st[k] % s[k])
				}
			}
			return nil
		},
	})
}
