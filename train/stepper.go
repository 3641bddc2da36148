package train

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Stepper runs a model that StepModel made, in the engine, as ONNX Runtime would in a loop: what a step gives is fed to the next.
type Stepper struct {
	Info StepInfo

	// State is what the next run is fed, beside examples and truth: parameters, what the optimiser remembers, learning rate and step.
	State map[string]*tensor.Tensor

	s *engine.Session
}

// NewStepper reads a training step, with the initial values that SplitInitial took out of it, or nil. Without its metadata it is an error.
func NewStepper(om, initial *onnx.Model, opts ...engine.Option) (*Stepper, error) {
	raw, ok := om.Metadata(StepKey)
	if !ok {
		return nil, fmt.Errorf("train: the model is no training step: its metadata have no %s", StepKey)
	}
	x := &Stepper{State: map[string]*tensor.Tensor{}}
	if err := json.Unmarshal([]byte(raw), &x.Info); err != nil {
		return nil, fmt.Errorf("train: metadata %s: %w", StepKey, err)
	}
	om = om.Clone()
	g := om.Proto.GetGraph()
	fed := map[string]bool{x.Info.LR: true}
	for _, in := range x.Info.Feedback {
		fed[in] = true
	}
	for _, t := range g.GetInitializer() { // the inputs' defaults are what the first run is fed
		if fed[t.GetName()] {
			v, err := om.Tensor(t)
			if err != nil {
				return nil, err
			}
			x.State[t.GetName()] = v.Clone()
		}
	}
	if initial != nil {
		of, err := initialValues(initial)
		if err != nil {
			return nil, err
		}
		maps.Copy(x.State, of)
	}
	for name := range fed {
		if x.State[name] == nil {
			return nil, fmt.Errorf("train: metadata %s: %q has no default", StepKey, name)
		}
	}
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return fed[t.GetName()] })
	m, err := engine.Load(om, opts...)
	if err != nil {
		return nil, err
	}
	if x.s, err = m.Session(engine.Query{}); err != nil {
		return nil, err
	}
	return x, nil
}

// Step runs once on examples and truth, and keeps what is fed back. The result is valid until the next run.
func (x *Stepper) Step(ctx context.Context, feeds map[string]*tensor.Tensor) (*engine.Result, error) {
	all := map[string]*tensor.Tensor{}
	maps.Copy(all, x.State)
	maps.Copy(all, feeds)
	r, err := x.s.Run(ctx, all)
	if err != nil {
		return nil, err
	}
	for out, in := range x.Info.Feedback {
		x.State[in] = r.Value(out).Clone()
	}
	return r, nil
}
