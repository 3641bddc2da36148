package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// AddItems adds two containers element by element: the sum of two gradients by one.
var AddItems = new(graph.Spec)

func init() {
	f := graph.Formal{Name: "A", Kinds: []tensor.Kind{tensor.Sequence, tensor.Optional}}
	define(AddItems, graph.Def[noAttrs]{
		Domain: Private, Name: "AddItems", Since: []int{1}, Doc: "sum of gradients by containers",
		In: []graph.Formal{f, {Name: "B", Kinds: f.Kinds}}, Out: []graph.Formal{{Name: "C"}}, Infer: atRun[noAttrs],
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			y, err := addItems(c.In[0], c.In[1])
			if err == nil {
				err = c.Budget(y.StorageBytes())
			}
			c.SetOut(0, y)
			return err
		},
		Lower: lowerAddItems,
		Grad: func(_ *noAttrs, _ *graph.Builder, _ *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{dy[0], dy[0]}, nil
		},
	})
}

// Plus adds the sum of two gradients x and y by one value, a tensor or a container.
func Plus(b *graph.Builder, x, y graph.Value) graph.Value {
	if b.DType(x).IsContainer() {
		return b.Add(AddItems, nil, x, y)
	}
	return b.Add(Add, nil, x, y)
}

func addItems(x, y *tensor.Tensor) (*tensor.Tensor, error) {
	if x.DType() != y.DType() || len(x.Items()) != len(y.Items()) {
		return nil, fmt.Errorf("gradients %v and %v of one value", x, y)
	}
	if !x.DType().IsContainer() {
		if !x.Shape().Equal(y.Shape()) {
			return nil, fmt.Errorf("gradients %v and %v of one value", x, y)
		}
		z := x.Clone()
		if z.DType() == tensor.Float64 {
			for i, v := range tensor.Data[float64](y) {
				tensor.Data[float64](z)[i] += v
			}
			return z, nil
		}
		for i, v := range y.F32() {
			z.F32()[i] += v
		}
		return z, nil
	}
	items := make([]*tensor.Tensor, len(x.Items()))
	for i := range items {
		var err error
		if items[i], err = addItems(x.Items()[i], y.Items()[i]); err != nil {
			return nil, err
		}
	}
	inner := x.DType().Inner()
	if x.DType().Kind() == tensor.Sequence {
		return tensor.NewSequence(inner, items...)
	}
	return tensor.NewOptional(inner, append(items, nil)[0])
}
