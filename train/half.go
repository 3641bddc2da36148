package train

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// trained is a parameter with the tensor that the optimiser works on: the model's own, or for parameters of 16 bits a copy in
// float32, because steps are often smaller than what 16 bits resolve.
type trained struct {
	*optim.Param
	value *tensor.Tensor // of the model
}

func newTrained(p *engine.Param, decay bool) (trained, error) {
	w := p.Value
	if d := w.DType(); d != tensor.Float32 && d != tensor.Float64 {
		var err error
		if w, err = w.Convert(tensor.Float32); err != nil {
			return trained{}, fmt.Errorf("train: parameter %q: %w", p.Name, err)
		}
	}
	return trained{&optim.Param{Name: p.Name, W: w, Decay: decay}, p.Value}, nil
}

// copied reports whether the optimiser works on a copy.
func (p trained) copied() bool { return p.W != p.value }

// take sets the gradient.
func (p trained) take(g *tensor.Tensor) (err error) {
	if p.G = g; g.DType() != p.W.DType() {
		p.G, err = g.Convert(p.W.DType())
	}
	return err
}

// give writes the copy back into the model.
func (p trained) give() error {
	if !p.copied() {
		return nil
	}
	v, err := p.W.Convert(p.value.DType())
	if err != nil {
		return fmt.Errorf("train: parameter %q: %w", p.Name, err)
	}
	copy(p.value.Bytes(), v.Bytes())
	return nil
}
