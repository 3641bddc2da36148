package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// ZipMap makes a sequence of maps, one for each row of X [N,C] or [C], from the class labels to the elements of the row.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html
var ZipMap = new(graph.Spec)

type zipMapAttrs struct {
	LabelInts    []int    `onnx:"classlabels_int64s"`
	LabelStrings []string `onnx:"classlabels_strings"`
}

func (a *zipMapAttrs) labels() (labels, error) {
	return labelsOf("classlabels_int64s", a.LabelInts, "classlabels_strings", a.LabelStrings)
}

func init() {
	define(ZipMap, graph.Def[zipMapAttrs]{
		Name: "ZipMap", Since: []int{1},
		In: []graph.Formal{{Name: "X", NoGrad: true, Types: float32s}}, Out: []graph.Formal{{Name: "Z", Kinds: []tensor.Kind{tensor.Sequence}}},
		Types: func(a *zipMapAttrs, _, out []tensor.DType) error {
			l, err := a.labels()
			if err != nil {
				return err
			}
			out[0] = tensor.SequenceOf(tensor.MapOf(l.dtype(), tensor.Float32))
			return nil
		},
		Infer: func(*zipMapAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Run: func(a *zipMapAttrs, c *graph.RunCtx) error {
			l, err := a.labels()
			if err != nil {
				return err
			}
			rows, columns, err := table(c.In[0].Shape())
			if err != nil {
				return err
			}
			if columns != l.count() {
				return fmt.Errorf("the input has %d columns, there are %d class labels", columns, l.count())
			}
			const each = 256 // bytes that a map takes beside its values
			if err := c.Budget(rows * (4*columns + each)); err != nil {
				return err
			}
			keys := l.tensor()
			values := append([]float32{}, c.In[0].F32()...) // the input's memory is used again
			maps := make([]*tensor.Tensor, rows)
			for r := range maps {
				if maps[r], err = tensor.NewMap(keys, tensor.From(values[r*columns:(r+1)*columns:(r+1)*columns], columns)); err != nil {
					return err
				}
			}
			z, err := tensor.NewSequence(tensor.MapOf(l.dtype(), tensor.Float32), maps...)
			if err != nil {
				return err
			}
			c.SetOut(0, z)
			return nil
		},
	})
}
