package train

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/optim"
)

// beginSchedule makes the schedule that of this training.
func (f *fit) beginSchedule() error {
	t := optim.Timing{Total: f.steps(), Step: 1, Epoch: float64(f.batches), Sample: 1 / float64(f.c.BatchSize), Validates: f.c.Val != nil}
	if f.growth != nil { // the schedule counts examples
		t.Total, t.Step, t.Epoch, t.Sample = f.c.Epochs*f.ds.Len(), float64(f.c.BatchSize), float64(f.ds.Len()), 1
	}
	s, err := optim.Begin(f.c.Schedule, t)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	f.given, f.c.Schedule = f.c.Schedule, s
	return nil
}

// watch shows the schedule an epoch that is over. After a resume it is shown the epochs of the history, from which its rates follow.
func (f *fit) watch(r EpochReport) {
	w, ok := f.c.Schedule.(optim.Watcher)
	if !ok {
		return
	}
	o := optim.Outcome{Step: r.Step, TrainLoss: r.TrainLoss, ValLoss: math.NaN(), Metric: math.NaN()}
	if f.growth != nil {
		o.Step = r.Examples
	}
	if r.Val != nil {
		o.ValLoss, o.Metric, o.Lower = r.Val.Loss, r.Val.Metric(f.judge.metric), f.judge.lower
	}
	w.See(o)
}
