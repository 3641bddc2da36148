package science

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
)

// Trial is one training of a network with random weights.
type Trial struct {
	Network string         // of package models
	Options models.Options // the seed is that of the run
	Data    string         // data set to train on, as gtk finetune --data takes it
	Test    string         // data set to measure on
	Rule    string         // of package optim
	Config  optim.Config
	LR      float64
	Cosine  bool // the rate falls by half a cosine; else it stays
	Epochs  int
	Batch   int
	// Change changes the rest of the training; nil leaves it.
	Change func(c *train.Config)
}

// Run trains once from seed.
func (t Trial) Run(ctx context.Context, l *Lab, seed uint64) (*train.Result, *engine.Model, error) {
	o := t.Options
	o.Seed = seed
	file, err := models.New(t.Network, o)
	if err != nil {
		return nil, nil, err
	}
	m, err := engine.Load(file, engine.WithThreads(l.Threads))
	if err != nil {
		return nil, nil, err
	}
	ds, err := data.Open(t.Data, data.Options{})
	if err != nil {
		return nil, nil, err
	}
	test, err := data.Open(t.Test, data.Options{})
	if err != nil {
		return nil, nil, err
	}
	rule, err := optim.New(t.Rule, t.Config)
	if err != nil {
		return nil, nil, err
	}
	pre := data.Suggested(ds)
	c := train.Config{Optimizer: rule, Schedule: optim.Constant(t.LR), Epochs: t.Epochs, BatchSize: t.Batch, Shuffle: true, Seed: seed,
		Preprocess: &pre, Val: test, BN: engine.BNTrain}
	if t.Cosine {
		c.Schedule = optim.Cosine{Max: t.LR}
	}
	if t.Change != nil {
		t.Change(&c)
	}
	r, err := train.Fit(ctx, m, ds, c)
	if err != nil {
		return nil, nil, fmt.Errorf("%s at rate %g, seed %d: %w", t.Rule, t.LR, seed, err)
	}
	return r, m, nil
}
