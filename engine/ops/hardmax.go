package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Hardmax is 1 at the first largest element along an axis and 0 elsewhere; before version 13 along that and all following axes. Its
// gradient is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Hardmax.html
var Hardmax = new(graph.Spec)

func init() {
	in, out := []graph.Formal{{Name: "input", Types: floats, NoGrad: true}}, []graph.Formal{{Name: "output"}}
	doc := "https://onnx.ai/onnx/operators/onnx__Hardmax.html"
	define(Hardmax, graph.Def[softmaxAttrs]{
		Name: "Hardmax", Since: []int{13}, Doc: doc, In: in, Out: out,
		Infer: func(a *softmaxAttrs, c *graph.InferCtx) error { return (&softmaxGradAttrs{Axis: a.Axis}).infer(c) },
		Run:   func(a *softmaxAttrs, c *graph.RunCtx) error { return runHardmax(c, &softmaxGradAttrs{Axis: a.Axis}) },
	})
	define(new(graph.Spec), graph.Def[softmaxOldAttrs]{
		Name: "Hardmax", Since: []int{1, 11}, Doc: doc, In: in, Out: out,
		Infer: func(a *softmaxOldAttrs, c *graph.InferCtx) error {
			return (&softmaxGradAttrs{Axis: a.Axis, Flat: true}).infer(c)
		},
		Run: func(a *softmaxOldAttrs, c *graph.RunCtx) error {
			return runHardmax(c, &softmaxGradAttrs{Axis: a.Axis, Flat: true})
		},
	})
}

func runHardmax(c *graph.RunCtx, a *softmaxGradAttrs) error {
	outer, n, inner, err := a.extents(c.In[0].Shape())
	if err != nil {
		return err
	}
	if c.In[0].DType() == tensor.Float64 {
		hardmax(c, tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), outer, n, inner)
	} else {
		hardmax(c, c.Out[0].F32(), c.In[0].F32(), outer, n, inner)
	}
	return nil
}

func hardmax[T kernel.Float](c *graph.RunCtx, out, in []T, outer, n, inner int) {
	clear(out)
	if len(out) == 0 {
		return
	}
	at := make([]int64, outer*inner)
	kernel.ArgMax(c.Pool, at, in, outer, n, inner, false)
	for i, k := range at {
		out[(i/inner*n+int(k))*inner+i%inner] = 1
	}
}
