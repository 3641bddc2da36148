package job

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// Distill asks for a teacher whose classes are learned from beside the truth (train.Teacher).
type Distill struct {
	Teacher     string  // model file, or builtin:NAME, which takes the same inputs
	Temperature float64 // softens what both give; 0 means 2
	Weight      float64 // of what the teacher says, above 0, at most 1: the truth has the rest; 0 means 0.5
}

func (d *Distill) temperature() float64 { return cmp.Or(d.Temperature, 2) }

func (d *Distill) weight() float64 { return cmp.Or(d.Weight, 0.5) }

// DistillReport says what was learned from.
type DistillReport struct {
	Teacher     string   `json:"teacher"`
	Temperature float64  `json:"temperature"`
	Weight      float64  `json:"weight"`
	Val         *Quality `json:"val"` // of the teacher, null without validation data
}

// check looks at what can be checked before anything is read.
func (d *Distill) check() error {
	switch {
	case d.Teacher == "":
		return usagef("--distill: the teacher is missing")
	case !(d.temperature() > 0) || math.IsInf(d.Temperature, 0):
		return usagef("--distill-temperature %v: want a positive number", d.Temperature)
	case !(d.weight() > 0 && d.weight() <= 1):
		return usagef("--distill-weight %v: want a number above 0, at most 1", d.Weight)
	}
	return nil
}

// openTeacher opens the teacher for the data of t, and refuses one that is given or gives something else than the model.
func (t *trainee) openTeacher(ctx context.Context, c FinetuneConfig, rep Reporter) (*train.Teacher, error) {
	d := c.Distill
	l, err := openModel(d.Teacher, ModelOptions{Threads: c.Threads, Context: c.Context}, rep)
	if err != nil {
		return nil, fmt.Errorf("--distill: %w", err)
	}
	x := &train.Teacher{Model: l.Model, Distil: task.Distil{Temperature: d.temperature(), Weight: d.weight()}}
	unfit := func(err error) error { return usagef("--distill %s: %v", d.Teacher, err) }
	if l.Pre != nil && t.stored != nil && l.Pre.String() != t.stored.String() {
		return nil, unfit(fmt.Errorf("the teacher takes pictures as %s and the model as %s; both are given the same, so bring the model "+
			"to the teacher's with --image-size, --scale, --mean and the like", l.Pre, t.stored))
	}
	if x.Feed, err = t.plan.With(l.Model); err != nil {
		return nil, unfit(fmt.Errorf("it takes other inputs than the model: %w", err))
	}
	o := task.Options{Kind: c.Task, Classes: l.Labels, Preprocess: t.pre}
	if x.Task, err = task.Of(ctx, x.Feed, t.train, o); err != nil {
		return nil, unfit(err)
	}
	if err := x.Task.Teaches(t.task); err != nil {
		return nil, unfit(err)
	}
	return x, nil
}

// distillReport measures the teacher.
func (f *finetuning) distillReport(ctx context.Context, rep Reporter) (*DistillReport, error) {
	x := f.cfg.Teacher
	r := &DistillReport{Teacher: f.c.Distill.Teacher, Temperature: x.Temperature, Weight: x.Weight}
	s := fmt.Sprintf("distillation: %g of the loss is the divergence from %s at temperature %g", r.Weight, r.Teacher, r.Temperature)
	if f.val != nil {
		v, err := train.Evaluate(ctx, x.Model, f.val, train.EvalConfig{Task: x.Task, Feed: x.Feed, Preprocess: f.pre})
		if err != nil {
			return nil, err
		}
		r.Val = qualityOf(v)
		name, _ := x.Task.Primary()
		s += fmt.Sprintf(", which has %s %s on the validation data", MetricName(name), MetricText(name, v.Metric(name)))
	}
	rep.Say(s)
	return r, nil
}
