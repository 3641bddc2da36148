package job

import (
	"context"
	"math"

	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/straggler"
)

// StragglerTrainPlan is what a training by a fleet would do.
type StragglerTrainPlan struct {
	Schema     string  `json:"schema"`
	Scheme     string  `json:"scheme"`
	Load       float64 `json:"load"`
	Delay      int     `json:"delay"`
	Workers    int     `json:"workers"`
	Examples   int     `json:"examples"`
	Partitions int     `json:"partitions"`
	Trainings  int     `json:"trainings"`
	Jobs       int     `json:"jobs"`
	Rounds     int     `json:"rounds"`
	Compute    float64 `json:"compute_seconds"` // that a gradient of all the data takes one worker
	Predicted  Number  `json:"predicted_seconds"`
}

// PlanStragglerTrain says what StragglerTrain would do; Out may be "". No worker is begun. Of auto it says what the rounds by which it
// chooses take.
func PlanStragglerTrain(ctx context.Context, c StragglerTrainConfig, rep Reporter) (*StragglerTrainPlan, error) {
	rep = orQuiet(rep)
	if err := c.check(); err != nil {
		return nil, err
	}
	t, err := c.prepare(ctx, rep)
	if err != nil {
		return nil, err
	}
	var s straggler.Scheme = &straggler.None{}
	if c.Scheme != "auto" {
		if s, err = c.scheme(); err != nil {
			return nil, err
		}
	}
	p, err := s.Plan(c.Workers, c.Jobs)
	if err != nil {
		return nil, err
	}
	r := &StragglerTrainPlan{Schema: "gtk.straggler-plan/1", Scheme: c.Scheme, Load: p.Load(), Delay: p.Delay(), Workers: c.Workers,
		Examples: t.r.Examples, Partitions: t.c.Partitions, Trainings: len(t.trainings), Jobs: c.Jobs, Rounds: c.Jobs + p.Delay(),
		Compute: t.compute, Predicted: Number(math.NaN())}
	if t.delays != nil {
		o, err := straggler.Simulate(s, t.expected(), c.Jobs, straggler.Simulation{Rule: t.rule})
		if err != nil {
			return nil, err
		}
		r.Predicted = Number(o.Seconds)
	}
	return r, nil
}

// Option is one option of a scheme or the like.
type Option = options.Option

// OptionsOf are the options of what p points to, with their present values as defaults.
func OptionsOf(p any) []Option { return options.List(p) }
