package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// SequenceEmpty is the sequence without elements, of tensors of type dtype.
//
// Source: https://onnx.ai/onnx/operators/onnx__SequenceEmpty.html
var SequenceEmpty = new(graph.Spec)

type sequenceEmptyAttrs struct {
	DType tensor.DType `onnx:"dtype,default=1"`
}

func init() {
	define(SequenceEmpty, graph.Def[sequenceEmptyAttrs]{
		Name: "SequenceEmpty", Since: []int{11}, Doc: "https://onnx.ai/onnx/operators/onnx__SequenceEmpty.html",
		Out: []graph.Formal{{Name: "output"}},
		Types: func(a *sequenceEmptyAttrs, _, out []tensor.DType) (err error) {
			if !a.DType.Valid() {
				return fmt.Errorf("attribute dtype: no element type %d", a.DType)
			}
			out[0], err = sequenceType(wideType(a.DType))
			return err
		},
		Infer: atRun[sequenceEmptyAttrs],
		Run:   func(a *sequenceEmptyAttrs, c *graph.RunCtx) error { return setSequence(c, wideType(a.DType), nil) },
	})
}

// wideType is d, or float32 for half precision, in which nothing is computed.
func wideType(d tensor.DType) tensor.DType {
	if d == tensor.Float16 || d == tensor.BFloat16 {
		return tensor.Float32
	}
	return d
}
