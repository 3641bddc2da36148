package ml

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// OneHotEncoder is Y [shape of X, K] with a 1 at the place that an element of X has among the K categories and zeros elsewhere. Real
// numbers are cut to integers. An element that is no category gives zeros, or an error with zeros=0.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_OneHotEncoder.html
var OneHotEncoder = new(graph.Spec)

type oneHotEncoderAttrs struct {
	Ints    []int    `onnx:"cats_int64s"`
	Strings []string `onnx:"cats_strings"`
	Zeros   bool     `onnx:"zeros,default=1"`
}

func init() {
	define(OneHotEncoder, graph.Def[oneHotEncoderAttrs]{
		Name: "OneHotEncoder", Since: []int{1},
		In: []graph.Formal{{Name: "X", NoGrad: true, Types: entries}}, Out: []graph.Formal{{Name: "Y"}},
		Types: func(a *oneHotEncoderAttrs, in, out []tensor.DType) error {
			out[0] = tensor.Float32
			if err := exactlyOne("cats_int64s", len(a.Ints), "cats_strings", len(a.Strings)); err != nil {
				return err
			}
			if (in[0] == tensor.String) != (len(a.Strings) > 0) {
				return fmt.Errorf("the input is %v, the categories are of another type", in[0])
			}
			return nil
		},
		Infer: func(a *oneHotEncoderAttrs, c *graph.InferCtx) error {
			c.Out(0, slices.Concat(c.Shape(0), []int{max(len(a.Ints), len(a.Strings))})...)
			return nil
		},
		Run: func(a *oneHotEncoderAttrs, c *graph.RunCtx) error {
			x := c.In[0]
			at := make([]int, x.Len())
			if x.DType() == tensor.String {
				mapElements(x.Strings(), at, tableOf(a.Strings, upTo(len(a.Strings))), -1)
			} else {
				t, err := x.Convert(tensor.Int64)
				if err != nil {
					return err
				}
				mapElements(t.I64(), at, tableOf(int64s(a.Ints), upTo(len(a.Ints))), -1)
			}
			y, k := c.Out[0].F32(), max(len(a.Ints), len(a.Strings))
			clear(y)
			for i, category := range at {
				switch {
				case category >= 0:
					y[i*k+category] = 1
				case !a.Zeros:
					return fmt.Errorf("element %d of the input is no category, and attribute zeros is 0", i)
				}
			}
			return nil
		},
	})
}
