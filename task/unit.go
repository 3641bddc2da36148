package task

import (
	"fmt"
	"slices"
)

// unit is what the targets of a regression are measured in: the model gives (y − mean)/std. There is one mean for each place of the last
// axis of the targets, or one for all.
type unit struct{ mean, std []float64 }

// SetUnit says that the model is trained to give (y − mean)/std of the targets y. The loss compares such values; decisions, and so the
// metrics, are in the unit of the targets. mean and std have one value for each place of the last axis of a target, or one for all.
func (t *Task) SetUnit(mean, std []float64) error {
	if t.Kind != Regression {
		return fmt.Errorf("task: the targets of a %s task have no unit: only those of a regression are standardised", t.Kind)
	}
	if n := len(mean); n == 0 || n != len(std) || t.K%n != 0 {
		return fmt.Errorf("task: %d means and %d deviations for %d outputs", len(mean), len(std), t.K)
	}
	for _, s := range std {
		if !(s > 0) || s-s != 0 {
			return fmt.Errorf("task: a deviation of %v", s)
		}
	}
	t.unit = &unit{slices.Clone(mean), slices.Clone(std)}
	return nil
}

// standardised is y as the model gives it.
func (t *Task) standardised(y []float64) []float64 {
	if t.unit == nil {
		return y
	}
	out := make([]float64, len(y))
	for i, v := range y {
		k := i % len(t.unit.mean)
		out[i] = (v - t.unit.mean[k]) / t.unit.std[k]
	}
	return out
}

// undo brings values of the model to the unit of the targets, in place.
func (u *unit) undo(z []float64) {
	for i := range z {
		k := i % len(u.mean)
		z[i] = z[i]*u.std[k] + u.mean[k]
	}
}

// undone is undo on a copy; nil stays nil.
func (u *unit) undone(y []float64) []float64 {
	y = slices.Clone(y)
	u.undo(y)
	return y
}
