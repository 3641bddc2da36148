package job

import (
	"encoding/json"
	"fmt"
	"math"

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
	u, err := unitOf(t.train)
	if err != nil {
		return usagef("--standardise-targets: %v", err)
	}
	if err := t.task.SetUnit(u.Mean, u.Std); err != nil {
		return usagef("--standardise-targets: %v", err)
	}
	t.unit = u
	t.notes = append(t.notes, "targets are standardised: the loss is in their standard deviations, metrics and the model that is written "+
		"are in their own unit")
	return nil
}

// unitOf is mean and deviation of the targets of ds: one for each place of their last axis, 1 for the deviation of one that is constant.
func unitOf(ds data.Dataset) (*targetUnit, error) {
	var n int
	var count float64
	u := &targetUnit{}
	for i := range ds.Len() {
		e, err := ds.Example(i)
		if err != nil {
			return nil, err
		}
		if e.Y == nil || !e.Y.DType().IsFloat() || e.Y.Len() == 0 {
			return nil, fmt.Errorf("example %q has no real target", e.ID)
		}
		if i == 0 {
			n = 1
			if r := e.Y.Rank(); r > 0 && r < 3 {
				n = e.Y.Dim(r - 1)
			}
			u.Mean, u.Std = make([]float64, n), make([]float64, n)
		}
		y := e.Y.Float64s()
		if len(y)%n != 0 {
			return nil, fmt.Errorf("example %q has a target %v, the first one %d places", e.ID, e.Y, n)
		}
		for j := 0; j < len(y); j += n { // Welford's update
			count++
			for k := range n {
				d := y[j+k] - u.Mean[k]
				u.Mean[k] += d / count
				u.Std[k] += d * (y[j+k] - u.Mean[k])
			}
		}
	}
	for k, s := range u.Std {
		if u.Std[k] = math.Sqrt(s / count); u.Std[k] == 0 {
			u.Std[k] = 1
		}
	}
	return u, nil
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
