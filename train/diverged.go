package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// ErrDiverged is the error of a training whose numbers are not finite any more.
var ErrDiverged = errors.New("the training diverged")

// DivergedError is an ErrDiverged with its place. The model is spoilt then; a checkpoint is never written of one.
type DivergedError struct {
	Step int     // at which it was seen
	LR   float64 // learning rate that led there
	What string  // for example "the loss is not finite (NaN)"
	Err  error   // cause, may be nil
}

// Error says where, what and what to do.
func (e *DivergedError) Error() string {
	advice := fmt.Sprintf("lower the learning rate (it was %.3g; gtk lr-find looks for one), limit the norm of the gradients "+
		"(clip-norm), "+
		"or look at the data", e.LR)
	if e.Step == 1 {
		advice = "nothing was learned yet, so look at the data and how they are prepared"
	}
	return fmt.Sprintf("train: step %d: %v: %s; %s", e.Step, ErrDiverged, e.What, advice)
}

// Unwrap is ErrDiverged and the cause.
func (e *DivergedError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrDiverged}
	}
	return []error{ErrDiverged, e.Err}
}

// diverged is the error of what is seen at a step.
func (f *fit) diverged(step int, what string, err error) error {
	lr := f.rate
	if f.growth == nil {
		lr = f.c.Schedule.LR(max(1, step-1), f.steps())
	}
	return &DivergedError{Step: step, LR: lr, What: what, Err: err}
}

// finite fails when a parameter that training changes has a number that is not.
func (f *fit) finite() error {
	for _, p := range f.changed {
		if v, ok := notFinite(p.Value); ok {
			what := "weight"
			if p.State {
				what = "statistic"
			}
			return f.diverged(f.step+1, fmt.Sprintf("%s %q is not finite (%v) after step %d", what, p.Name, v, f.step), nil)
		}
	}
	return nil
}

// notFinite is the first number of t that is not finite.
func notFinite(t *tensor.Tensor) (v float64, found bool) {
	if t.DType() == tensor.Float32 {
		for _, x := range t.F32() {
			if x-x != 0 {
				return float64(x), true
			}
		}
		return 0, false
	}
	for _, x := range t.Float64s() {
		if x-x != 0 {
			return x, true
		}
	}
	return 0, false
}

// validate evaluates the model after an epoch. What was finite before has to be so still.
func (f *fit) validate(ctx context.Context) (*Evaluation, error) {
	v, err := f.eval.Run(ctx)
	switch {
	case errors.Is(err, errNotFinite):
		return nil, f.diverged(f.step+1, err.Error(), err)
	case err != nil:
		return nil, err
	case v.Loss-v.Loss != 0 && f.res.Before != nil && !math.IsInf(f.res.Before.Loss, 0) && !math.IsNaN(f.res.Before.Loss):
		return nil, f.diverged(f.step+1, fmt.Sprintf("the loss on the validation data is not finite (%v)", v.Loss), nil)
	}
	return v, nil
}

// loneNote says what becomes of a last batch of one example.
func (f *fit) loneNote() {
	if f.c.BN != engine.BNTrain {
		return
	}
	n := f.ds.Len()
	plain := f.c.batching(0)
	plain.MergeLone = false
	switch {
	case data.NumBatches(n, f.c.BatchSize, plain) > f.batches:
		f.note("the last batch of each epoch has %d examples: with --bn train one example alone has no statistics to learn from, so it "+
			"joins the batch before", f.c.BatchSize+1)
	case f.c.BatchSize == 1 && n > 1:
		f.note("--bn train with batches of one example: a normalisation over examples alone gets no statistics from them; use a larger " +
			"--batch-size or --bn frozen")
	}
}
