package job

import (
	"context"
	"errors"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/nas"
	"github.com/gtk-onnx/gtk/train"
)

// NASPlan is what a training of a supernet would do.
type NASPlan struct {
	Schema    string  `json:"schema"`
	Steps     int     `json:"steps"`
	BatchSize int     `json:"batch_size"`
	Examples  int     `json:"examples"`
	Weights   int     `json:"weights"`
	Archs     float64 `json:"architectures"`
	MsPerStep float64 `json:"ms_per_step"` // whose path is new
	Seconds   float64 `json:"seconds"`     // if all were
}

// triedSteps are taken to see how long steps take.
const triedSteps = 5

// PlanNASTrain says what NASTrain would do, from a few steps on a copy in memory; Out may be "".
func PlanNASTrain(ctx context.Context, c NASTrainConfig, rep Reporter) (*NASPlan, error) {
	rep = orQuiet(rep)
	if err := c.check(); err != nil {
		return nil, err
	}
	s, err := openSupernet(ctx, c.Model, c.ModelOptions, c.Data, "", c.DataOptions, rep)
	if err != nil {
		return nil, err
	}
	cfg, _, err := c.config(s)
	if err != nil {
		return nil, err
	}
	size := min(c.BatchSize, s.train.Len())
	p := &NASPlan{Schema: "gtk.nas-plan/1", BatchSize: size, Examples: s.train.Len(), Archs: s.n.Size(),
		Steps: c.Epochs * data.NumBatches(s.train.Len(), size, data.BatchOptions{MergeLone: true})}
	_, weights := s.n.Weights()
	for _, w := range weights {
		p.Weights += w.Len()
	}
	enough := errors.New("enough")
	var began time.Time
	n := 0
	cfg.Step = func(train.Progress) error {
		if n++; n == 1 {
			began = time.Now() // the first one warms up
		}
		p.MsPerStep = units.Ms(time.Since(began)) / float64(max(1, n-1))
		if n > triedSteps {
			return enough
		}
		return nil
	}
	if _, err := nas.Train(ctx, s.n, s.train, cfg); err != nil && !errors.Is(err, enough) {
		return nil, err
	}
	p.Seconds = p.MsPerStep * float64(p.Steps) / 1000
	return p, nil
}
