package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// BitCast reads the bits of the elements of input as elements of another type with as many bits, by its attribute to. A byte read as a
// truth value is true unless it is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__BitCast.html. Deviation: elements of float16 and bfloat16, which are computed in float32,
// have no bits to read; the result may have these types.
var BitCast = new(graph.Spec)

type bitCastAttrs struct {
	To tensor.DType `onnx:"to,required"`
}

func init() {
	define(BitCast, graph.Def[bitCastAttrs]{
		Name: "BitCast", Since: []int{26}, Doc: "https://onnx.ai/onnx/operators/onnx__BitCast.html",
		In: []graph.Formal{{Name: "input", NoGrad: true}}, Out: []graph.Formal{{Name: "output"}},
		Types: func(a *bitCastAttrs, in, out []tensor.DType) error {
			if !a.To.Valid() {
				return fmt.Errorf("attribute to: no element type %d", a.To)
			}
			if in[0] == tensor.String || a.To == tensor.String || in[0] != tensor.Undefined && in[0].Bits() != a.To.Bits() {
				return fmt.Errorf("attribute to: elements of type %v have not the bits of %v", in[0], a.To)
			}
			out[0] = a.To
			return nil
		},
		Infer: sameShape[bitCastAttrs],
		Run: func(a *bitCastAttrs, c *graph.RunCtx) error {
			y := c.Out[0].Bytes()
			copy(y, c.In[0].Bytes())
			if a.To == tensor.Bool {
				for i, b := range y {
					y[i] = min(b, 1)
				}
			}
			return nil
		},
	})
}
