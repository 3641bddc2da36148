package train

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// Raw is the weights of the last step where what is kept is an average of many.
type Raw struct{ kept []tensor.Named }

// Restore gives m these weights.
func (r *Raw) Restore(m *engine.Model) error {
	for _, k := range r.kept {
		p, err := m.Param(k.Name)
		if err != nil {
			return fmt.Errorf("train: weights of the last step: %w", err)
		}
		copy(p.Value.Bytes(), k.Tensor.Bytes())
	}
	m.Changed()
	return nil
}

// rawWeights are the weights as they are, nil without an exponential average: other averages are part of their rule, whose own weights are
// not meant to be used.
func (f *fit) rawWeights() *Raw {
	ema := false
	for r := range f.c.Optimizer.Rules() {
		ema = ema || r.Name() == "ema"
	}
	if !ema {
		return nil
	}
	r := &Raw{}
	for _, p := range f.changed {
		r.kept = append(r.kept, tensor.Named{Name: p.Name, Tensor: p.Value.Clone()})
	}
	return r
}
