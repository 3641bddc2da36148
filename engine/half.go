package engine

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// half reports whether d holds numbers in half precision, which is a storage type: they are float32 wherever something is computed.
func half(d tensor.DType) bool {
	e := d.Element()
	return e == tensor.Float16 || e == tensor.BFloat16
}

// wideOf is d with float32 in place of half precision.
func wideOf(d tensor.DType) tensor.DType {
	if half(d) {
		return d.WithElement(tensor.Float32)
	}
	return d
}

// widen follows a half-precision value, or a container of such values, by a cast to float32.
func (im *importer) widen(s *scope, v graph.Value) graph.Value {
	d := s.g.Info(v).DType
	if !half(d) {
		return v
	}
	return castTo(s.b, wideOf(d), v)
}

// castTo adds a cast of v, or of what it contains, to type d.
func castTo(b *graph.Builder, d tensor.DType, v graph.Value) graph.Value {
	if d.IsContainer() {
		return b.Add(ops.CastItems, ops.CastItemsTo(d.Element()), v)
	}
	return b.Add(ops.Cast, ops.CastTo(d), v)
}

// wide is t, in single precision where it is in half.
func wide(t *tensor.Tensor, name string) (*tensor.Tensor, error) {
	if !half(t.DType()) {
		return t, nil
	}
	if n := 4 * int64(t.Len()); n >= memory.Small {
		g, err := memory.Take(n, fmt.Sprintf("the tensor %s in single precision", shown.Name(name)))
		if err != nil {
			return nil, err
		}
		defer g.Release() // it is measured from then on
	}
	return t.Convert(tensor.Float32)
}
