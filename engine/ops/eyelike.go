package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// EyeLike is a matrix of the shape of input with ones on diagonal k and zeros elsewhere, of type dtype or that of input.
//
// Source: https://onnx.ai/onnx/operators/onnx__EyeLike.html
var EyeLike = new(graph.Spec)

type eyeLikeAttrs struct {
	DType *int `onnx:"dtype"`
	K     int  `onnx:"k,default=0"`
}

func init() {
	define(EyeLike, graph.Def[eyeLikeAttrs]{
		Name: "EyeLike", Since: []int{9, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__EyeLike.html",
		In: []graph.Formal{{Name: "input", NoGrad: true}}, Out: []graph.Formal{{Name: "output"}},
		Types: func(a *eyeLikeAttrs, in, out []tensor.DType) error {
			for i := range out {
				out[i] = in[0]
				if a.DType != nil {
					out[i] = tensor.DType(*a.DType)
				}
				if !out[i].Valid() || out[i] == tensor.String {
					return fmt.Errorf("no unit matrix of type %v", out[i])
				}
			}
			return nil
		},
		Infer: func(_ *eyeLikeAttrs, c *graph.InferCtx) error {
			if len(c.Shape(0)) != 2 {
				return fmt.Errorf("input has shape %v, want a matrix", c.Shape(0))
			}
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *eyeLikeAttrs, c *graph.RunCtx) error {
			one, err := tensor.Scalar(float32(1)).Convert(c.Out[0].DType())
			if err != nil {
				return err
			}
			fill(c.Out[0], nil)
			rows, cols := c.Out[0].Dim(0), c.Out[0].Dim(1)
			if a.K >= cols || a.K <= -rows {
				return nil
			}
			r, k := max(0, -a.K), max(0, a.K)
			copyStrided(c.Pool, c.Out[0], one, walk{ext: []int{min(rows-r, cols-k)}, ds: []int{cols + 1}, ss: []int{0}, do: r*cols + k})
			return nil
		},
	})
}
