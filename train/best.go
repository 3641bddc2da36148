package train

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// Best is the best epoch by the first metric of the task on the validation data; of equal ones that with the lower loss, then the earlier
// one.
type Best struct {
	Epoch, Step int
	Metric      string
	Lower       bool // better when lower
	Value       float64
	Val         *Evaluation

	kept []tensor.Named // what training changes, as it was then
}

// Restore gives m the weights and statistics of the best epoch.
func (b *Best) Restore(m *engine.Model) error {
	for _, k := range b.kept {
		p, err := m.Param(k.Name)
		if err != nil {
			return fmt.Errorf("train: best epoch: %w", err)
		}
		copy(p.Value.Bytes(), k.Tensor.Bytes())
	}
	m.Changed()
	return nil
}

// keep copies what the parameters are now.
func (b *Best) keep(ps []*engine.Param) {
	if b.kept == nil {
		for _, p := range ps {
			b.kept = append(b.kept, tensor.Named{Name: p.Name, Tensor: p.Value.Clone()})
		}
		return
	}
	for i, p := range ps {
		copy(b.kept[i].Tensor.Bytes(), p.Value.Bytes())
	}
}

// judge compares epochs.
type judge struct {
	metric   string
	lower    bool
	patience int
	delta    float64

	best  *Best
	last  float64 // value of the last epoch that was progress
	since int     // epochs after it
}

func newJudge(t *task.Task, patience int, delta float64) *judge {
	j := &judge{patience: patience, delta: delta, last: math.NaN()}
	j.metric, j.lower = t.Primary()
	return j
}

// see takes in an epoch and reports whether it is the best so far.
func (j *judge) see(r EpochReport) bool {
	v, loss := r.Val.Metric(j.metric), r.Val.Loss
	gain := v - j.last
	if j.lower {
		gain = -gain
	}
	if j.since++; !math.IsNaN(v) && (math.IsNaN(j.last) || gain > j.delta) {
		j.last, j.since = v, 0
	}
	better := j.best == nil || j.lower && v < j.best.Value || !j.lower && v > j.best.Value || v == j.best.Value && loss < j.best.Val.Loss
	if math.IsNaN(v) || !better {
		return false
	}
	b := &Best{Epoch: r.Epoch, Step: r.Step, Metric: j.metric, Lower: j.lower, Value: v, Val: r.Val}
	if j.best != nil {
		b.kept = j.best.kept // the storage
	}
	j.best = b
	return true
}

// enough reports whether there was no progress for too long. A nil judge never has enough.
func (j *judge) enough() bool { return j != nil && j.patience > 0 && j.since >= j.patience }
