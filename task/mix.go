package task

import (
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Names of the inputs that a loss adds to a model where examples are mixed (data.Mix).
const (
	OtherInput       = "gtk.other"        // int64 [N]: class numbers of what each example is mixed with
	OtherWeightInput = "gtk.other.weight" // real [N]: what the loss with these is multiplied by
)

// Mixed is t for batches whose examples are mixed. Where the truth is a class number, the loss of a mixture is the sum of the losses with
// the two labels, each times its share; for the cross-entropy that is the loss with the mixed distribution. Real targets are mixed
// themselves. The class of a mixture, by which decisions are right or wrong, is that of which there is more. whole says that each pixel is
// of one example only. It fails for tasks of which a mixture means nothing.
func (t *Task) Mixed(whole bool) (*Task, error) {
	why := ""
	switch _, focal := t.Loss.(*Focal); {
	case t.masks && whole:
	case t.masks:
		why = "each pixel has one class, and pictures that shine through each other have two: cutmix leaves every pixel one"
	case t.positions:
		why = "there is a class for each position, which a mixture does not have"
	case t.contrast != nil:
		why = "the objective compares views of single examples"
	case t.restores != nil:
		why = "the objective compares single pictures"
	case t.Loss == nil:
		why = "it has no loss"
	case focal && !t.Loss.Classes():
		why = "the focal loss reads labels of 0 and 1, and those of mixtures lie between: use bce"
	case t.teacherLogits():
		why = "the targets are logits of a teacher, and the logits of a mixture are not the mixture of the logits"
	}
	if why != "" {
		return nil, fmt.Errorf("task: examples of a %s task are not mixed: %s", t.Kind, why)
	}
	m := *t
	m.mixed = !t.masks
	return &m, nil
}

func (t *Task) teacherLogits() bool {
	kl, ok := t.Loss.(*KL)
	return ok && kl.From == "logits"
}

// mixedLabels reports whether the loss takes two labels of each example.
func (t *Task) mixedLabels() bool { return t.mixed && t.Loss != nil && t.Loss.Classes() }

// weighted is the loss of each example, [N], times its weight.
func (t *Task) weighted(b *engine.Build) (graph.Value, error) {
	each, err := t.each(b, LabelInput)
	if err != nil {
		return 0, err
	}
	sum := b.Add(ops.Mul, nil, each, b.Input(WeightInput, b.DType(each), batchDims(1)))
	if !t.mixedLabels() {
		return sum, nil
	}
	other, err := t.each(b, OtherInput)
	if err != nil {
		return 0, err
	}
	return b.Add(ops.Add, nil, sum, b.Add(ops.Mul, nil, other, b.Input(OtherWeightInput, b.DType(other), batchDims(1)))), nil
}

// mix takes in what the examples of b are mixed with, for the loss of class numbers.
func (tr *Truth) mix(b *data.Batch) error {
	tr.share, tr.other = make([]float64, tr.N), tr.Labels
	for i := range tr.share {
		tr.share[i] = 1
	}
	if b.Mix == nil {
		return nil
	}
	var err error
	tr.share = b.Mix.Share
	tr.other, err = tr.t.labels(others(b))
	return err
}

// others is what the examples of b are mixed with.
func others(b *data.Batch) *data.Batch {
	return &data.Batch{Index: b.Index, IDs: b.IDs, Labels: b.Mix.Labels, Y: b.Mix.Y}
}

// mixedTargets is y [N·F] mixed as b says; what is not known of one of two is not known of the mixture.
func (t *Task) mixedTargets(b *data.Batch, y []float64, labels []int64) ([]float64, error) {
	if b.Mix == nil {
		return y, nil
	}
	o := others(b)
	if labels != nil {
		var err error
		if labels, err = t.labels(o); err != nil {
			return nil, err
		}
	}
	z, err := t.targets(o, labels)
	if err != nil {
		return nil, err
	}
	k := len(y) / b.Len()
	for i := range y {
		if t.Kind != Regression && (y[i] == Ignored || z[i] == Ignored) {
			y[i] = Ignored
			continue
		}
		s := b.Mix.Share[i/k]
		y[i] = s*y[i] + (1-s)*z[i]
	}
	return y, nil
}

// mixedRows adds what a loss with two labels takes, with the weights of Rows.
func (tr *Truth) mixedRows(weights []float64) (same, weight map[string]*tensor.Tensor, own []float64) {
	own, rest := make([]float64, tr.N), make([]float64, tr.N)
	for i, w := range weights {
		own[i], rest[i] = w*tr.share[i], w*(1-tr.share[i])
	}
	return map[string]*tensor.Tensor{OtherInput: tensor.From(tr.other, tr.N)}, map[string]*tensor.Tensor{OtherWeightInput: tr.real(rest)}, own
}

// real is numbers in the type of the logits.
func (tr *Truth) real(v []float64) *tensor.Tensor {
	w := tensor.From(v, len(v))
	if tr.t.real != tensor.Float64 {
		w, _ = w.Convert(tensor.Float32) // real numbers convert
	}
	return w
}
