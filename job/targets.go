package job

import (
	"encoding/json"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// targetUnit is the unit of the targets of a regression that is trained on standardised ones: y = z·Std + Mean for what the model gives
// in training.
type targetUnit struct {
	Mean []float64 `json:"mean"`
	Std  []float64 `json:"std"`
}

// unitKey is the metadata entry of a model that brings its output to the unit of its targets.
const unitKey = "gtk.targets"

// standardiseTargets finds the unit of the targets, and tells the task.
func (t *trainee) standardiseTargets() error {
	if _, done := t.File().Metadata(unitKey); done {
		return usagef("--standardise-targets: the model gives values in the unit of its targets already, as it was trained with that " +
			"before; leave it out")
	}
	mean, std, _, err := data.StandardiseTargets(t.train)
	if err != nil {
		return usagef("--standardise-targets: %v", err)
	}
	u := &targetUnit{mean, std}
	if err := t.task.SetUnit(u.Mean, u.Std); err != nil {
		return usagef("--standardise-targets: %v", err)
	}
	t.unit = u
	t.notes = append(t.notes, "targets are standardised: the loss is in their standard deviations, metrics and the model that is written "+
		"are in their own unit")
	return nil
}

// apply makes the file give values in the unit of the targets.
func (u *targetUnit) apply(file *onnx.Model, output string, d tensor.DType) error {
	scale, err := tensor.From(u.Std, len(u.Std)).Convert(d)
	if err != nil {
		return err
	}
	shift, err := tensor.From(u.Mean, len(u.Mean)).Convert(d)
	if err != nil {
		return err
	}
	if err := file.AppendAffine(output, scale, shift); err != nil {
		return err
	}
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	file.SetMetadata(unitKey, string(b))
	return nil
}

// of brings what the model gives in training to the unit of the targets.
func (u *targetUnit) of(z []float64) {
	for i := range z {
		k := i % len(u.Mean)
		z[i] = z[i]*u.Std[k] + u.Mean[k]
	}
}
