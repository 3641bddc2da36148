package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Optional is its input, a tensor or a sequence, as an optional value; without an input it is none, of the type that the attribute says.
//
// Source: https://onnx.ai/onnx/operators/onnx__Optional.html
var Optional = new(graph.Spec)

type optionalAttrs struct {
	Type *tensor.DType `onnx:"type"`
}

func init() {
	define(Optional, graph.Def[optionalAttrs]{
		Name: "Optional", Since: []int{15}, Doc: "https://onnx.ai/onnx/operators/onnx__Optional.html",
		In:  []graph.Formal{{Name: "input", Optional: true, Kinds: []tensor.Kind{tensor.Plain, tensor.Sequence}}},
		Out: []graph.Formal{{Name: "output"}}, Infer: atRun[optionalAttrs],
		Types: func(a *optionalAttrs, in, out []tensor.DType) error {
			inner := tensor.Undefined
			switch {
			case len(in) > 0 && in[0] != tensor.Undefined:
				inner = in[0]
			case a.Type != nil:
				inner = *a.Type
			default:
				return fmt.Errorf("neither an input nor attribute type says what the optional would contain")
			}
			if out[0] = tensor.OptionalOf(inner); out[0] == tensor.Undefined {
				return fmt.Errorf("there are no optionals of %v", inner)
			}
			return nil
		},
		Run: func(a *optionalAttrs, c *graph.RunCtx) error {
			var o *tensor.Tensor
			var err error
			if c.Has(0) {
				o, err = tensor.NewOptional(c.In[0].DType(), c.In[0].Clone())
			} else {
				o, err = tensor.NewOptional(*a.Type, nil)
			}
			if err == nil {
				err = c.Budget(o.StorageBytes())
			}
			c.SetOut(0, o)
			return err
		},
		Grad: func(_ *optionalAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(OptionalGetElement, nil, dy[0])), nil
		},
	})
}
