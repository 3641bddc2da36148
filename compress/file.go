package compress

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// withWeights is a copy of m's file with other values of some parameters, which are given as the engine has them and are written as the
// file has them.
func withWeights(m *engine.Model, values map[string]*tensor.Tensor) (*onnx.Model, error) {
	out := m.File().Clone()
	form := map[string]tensor.DType{}
	for _, w := range out.Weights() {
		t, err := out.WeightTensor(w)
		if err != nil {
			return nil, err
		}
		form[w.Name] = t.DType()
	}
	for name, t := range values {
		d, ok := form[name]
		if !ok {
			return nil, fmt.Errorf("compress: weight %q is made by the graph, not stored in the file as it is", name)
		}
		if d == t.DType() {
			continue
		}
		x, err := t.Convert(d)
		if err != nil {
			return nil, fmt.Errorf("compress: weight %q: %w", name, err)
		}
		values[name] = x
	}
	return out, out.SetWeights(values)
}
