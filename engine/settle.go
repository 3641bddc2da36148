package engine

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Settle rounds the parameters that the file holds in half precision to what it can hold, so that the model gives what the saved file will
// give. It reports whether there are such parameters, and fails for a number that is too large for the file's type.
func (m *Model) Settle() (bool, error) {
	if err := m.gate.enter(); err != nil {
		return false, err
	}
	defer m.gate.leave()
	some := false
	for _, p := range m.params {
		if !half(p.file) || !p.Trainable && !p.State {
			continue
		}
		some = true
		narrow, err := p.Value.Convert(p.file)
		if err == nil {
			var wide = narrow
			if wide, err = narrow.Convert(p.Value.DType()); err == nil {
				if err = fits16(p.Value, wide); err != nil {
					return some, fmt.Errorf("engine: parameter %q: %w for %v, in which the file holds it", p.Name, err, p.file)
				}
				copy(p.Value.Bytes(), wide.Bytes())
			}
		}
		if err != nil {
			return some, fmt.Errorf("engine: parameter %q: %w", p.Name, err)
		}
	}
	if some {
		m.Changed()
	}
	return some, nil
}

// fits16 fails when a finite number of x is not finite in rounded.
func fits16(x, rounded *tensor.Tensor) error {
	was := x.Float64s()
	for i, v := range rounded.Float64s() {
		if math.IsInf(v, 0) && !math.IsInf(was[i], 0) {
			return fmt.Errorf("%.4g is too large", was[i])
		}
	}
	return nil
}

// wide is what an output in half precision is narrowed from; v itself for other values.
func (m *Model) wide(v graph.Value) graph.Value {
	n := m.g.Info(v).Def
	if n == nil || n.Op != ops.Cast || !half(m.g.Info(v).DType) || half(m.g.Info(n.In[0]).DType) || !slices.Contains(m.g.Outputs, v) {
		return v
	}
	return n.In[0]
}
