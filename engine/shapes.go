package engine

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/tensor"
)

// Shapes are the shapes of the named values for inputs of the given shapes, in the order of Inputs; nil where only a run can tell.
func (m *Model) Shapes(inputs []tensor.Shape, names ...string) ([]tensor.Shape, error) {
	if err := m.gate.enter(); err != nil {
		return nil, err
	}
	defer m.gate.leave()
	shapes, _, err := exec.Shapes(m.g, inputs)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	out := make([]tensor.Shape, len(names))
	for i, n := range names {
		v, err := m.value(n)
		if err != nil {
			return nil, err
		}
		out[i] = shapes[v]
	}
	return out, nil
}

// DType is the element type of the named value.
func (m *Model) DType(name string) (tensor.DType, error) {
	if err := m.gate.enter(); err != nil {
		return tensor.Undefined, err
	}
	defer m.gate.leave()
	v, err := m.value(name)
	if err != nil {
		return tensor.Undefined, err
	}
	return m.g.Info(v).DType, nil
}

// Range is an interval that holds every number of the named value, whatever the inputs are; see ops.Ranger.
func (m *Model) Range(name string) (lo, hi float64, err error) {
	if err := m.gate.enter(); err != nil {
		return 0, 0, err
	}
	defer m.gate.leave()
	v, err := m.value(name)
	if err != nil {
		return 0, 0, err
	}
	l := m.look()
	defer l.mu.Unlock()
	r := l.ranges.Of(v)
	return r.Lo, r.Hi, nil
}
