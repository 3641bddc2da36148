package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// OptionalGetElement is the value of an optional, which must have one. From version 18 it also takes what is no optional, and gives it as
// it is.
//
// Source: https://onnx.ai/onnx/operators/onnx__OptionalGetElement.html
var OptionalGetElement = new(graph.Spec)

func init() {
	def := graph.Def[noAttrs]{
		Name: "OptionalGetElement", Since: []int{18}, Doc: "https://onnx.ai/onnx/operators/onnx__OptionalGetElement.html",
		In:  []graph.Formal{{Name: "input", Kinds: []tensor.Kind{tensor.Optional, tensor.Plain, tensor.Sequence}}},
		Out: []graph.Formal{{Name: "output"}}, Infer: atRun[noAttrs],
		Types: func(_ *noAttrs, in, out []tensor.DType) error {
			if out[0] = in[0]; in[0].Kind() == tensor.Optional {
				out[0] = in[0].Inner()
			}
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			x := c.In[0]
			if x.DType().Kind() != tensor.Optional {
				c.SetOut(0, x.Clone())
				return nil
			}
			if len(x.Items()) == 0 {
				return fmt.Errorf("the optional has no value: a model asks OptionalHasElement first")
			}
			c.SetOut(0, x.Items()[0])
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			if b.DType(n.In[0]).Kind() != tensor.Optional {
				return dy[:1], nil
			}
			return only(n, 0, b.Add(Optional, nil, dy[0])), nil
		},
	}
	define(OptionalGetElement, def)
	def.Since, def.In = []int{15}, []graph.Formal{{Name: "input", Kinds: optionals}}
	define(new(graph.Spec), def)
}
