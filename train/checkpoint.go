package train

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/tensor"
)

// Checkpoint is everything that continuing a training needs: the step, the parameters with the running statistics, and the
// optimiser's state. Order of data, augmentation and dropout follow from seed and step.
type Checkpoint struct {
	Step    int
	Tensors []tensor.Named // "param/NAME" and "optim/NAME"
}

func (f *fit) checkpoint() *Checkpoint {
	c := &Checkpoint{Step: f.step}
	for p := range f.m.Params() {
		if p.Trainable || p.State {
			c.Tensors = append(c.Tensors, tensor.Named{Name: "param/" + p.Name, Tensor: p.Value})
		}
	}
	for name, t := range f.c.Optimizer.State() {
		c.Tensors = append(c.Tensors, tensor.Named{Name: "optim/" + name, Tensor: t})
	}
	return c
}

// restore puts the model and the optimiser in the state of c.
func (f *fit) restore(c *Checkpoint) error {
	state := map[string]*tensor.Tensor{}
	for _, n := range c.Tensors {
		if name, ok := strings.CutPrefix(n.Name, "optim/"); ok {
			state[name] = n.Tensor
			continue
		}
		name := strings.TrimPrefix(n.Name, "param/")
		p, err := f.m.Param(name)
		if err != nil {
			return fmt.Errorf("train: checkpoint: %w", err)
		}
		if p.Value.DType() != n.Tensor.DType() || !p.Value.Shape().Equal(n.Tensor.Shape()) {
			return fmt.Errorf("train: checkpoint: parameter %q is %v, the model has %v", name, n.Tensor, p.Value)
		}
		copy(p.Value.Bytes(), n.Tensor.Bytes())
	}
	f.m.Changed()
	f.step = c.Step
	return f.c.Optimizer.Restore(f.params, func(yield func(string, *tensor.Tensor) bool) {
		for k, v := range state {
			if !yield(k, v) {
				return
			}
		}
	})
}

// Write stores c as an NPZ file, which appears whole or not at all.
func (c *Checkpoint) Write(path string) error {
	all := append([]tensor.Named{{Name: "step", Tensor: tensor.Scalar(int64(c.Step))}}, c.Tensors...)
	if err := whole.Write(path, func(f *os.File) error { return tensor.WriteNPZ(f, all) }); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return nil
}

// ReadCheckpoint reads what Write wrote.
func ReadCheckpoint(path string) (*Checkpoint, error) {
	ts, err := tensor.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: checkpoint: %w", err)
	}
	c := &Checkpoint{Step: -1}
	for _, n := range ts {
		if n.Name == "step" && n.Tensor.Len() == 1 && n.Tensor.DType() == tensor.Int64 {
			c.Step = int(n.Tensor.I64()[0])
			continue
		}
		c.Tensors = append(c.Tensors, n)
	}
	if c.Step < 0 {
		return nil, fmt.Errorf("train: checkpoint: %s has no step: it is not a checkpoint, or not a whole one", strconv.Quote(path))
	}
	return c, nil
}
