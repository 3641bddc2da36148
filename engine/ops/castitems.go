package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// CastItems is a container with its tensors in another element type: what Cast is to a tensor. It widens and narrows the half precision of
// sequences that a model takes and gives.
var CastItems = new(graph.Spec)

type castItemsAttrs struct {
	To tensor.DType `onnx:"to,required"`
}

// CastItemsTo are the attributes of a CastItems to element type d.
func CastItemsTo(d tensor.DType) any { return &castItemsAttrs{To: d} }

func init() {
	define(CastItems, graph.Def[castItemsAttrs]{
		Domain: Private, Name: "CastItems", Since: []int{1}, Doc: "Cast of the elements of a container",
		In:  []graph.Formal{{Name: "input", Kinds: []tensor.Kind{tensor.Sequence, tensor.Optional, tensor.Map}}},
		Out: []graph.Formal{{Name: "output"}}, Infer: atRun[castItemsAttrs],
		Types: func(a *castItemsAttrs, in, out []tensor.DType) error {
			out[0] = in[0].WithElement(a.To)
			return nil
		},
		Run: func(a *castItemsAttrs, c *graph.RunCtx) error {
			if err := c.Budget(2 * c.In[0].StorageBytes()); err != nil {
				return err
			}
			y, err := castItems(c.In[0], a.To)
			if err == nil {
				c.SetOut(0, y)
			}
			return err
		},
		Lower: lowerCastItems,
		Grad: func(_ *castItemsAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(CastItems, CastItemsTo(b.DType(n.In[0]).Element()), dy[0])), nil
		},
	})
}

// castItems is x, or what it contains, in element type d.
func castItems(x *tensor.Tensor, d tensor.DType) (*tensor.Tensor, error) {
	of, items := x.DType(), x.Items()
	switch of.Kind() {
	case tensor.Plain:
		return x.Convert(d)
	case tensor.Map:
		values, err := items[1].Convert(d)
		if err != nil {
			return nil, err
		}
		return tensor.NewMap(items[0], values)
	}
	list := make([]*tensor.Tensor, len(items))
	for i, t := range items {
		var err error
		if list[i], err = castItems(t, d); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	inner := of.Inner().WithElement(d)
	if of.Kind() == tensor.Sequence {
		return tensor.NewSequence(inner, list...)
	}
	return tensor.NewOptional(inner, append(list, nil)[0])
}
