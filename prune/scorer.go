// Package prune scores the examples of a training set by how much a model could still learn from them, and chooses which to keep.
//
// A Scorer is a query of the engine and a pure function of its result; one file each. Run averages a scorer over several models,
// Select turns scores into a subset, and the writers produce scores.csv, keep.txt and manifest.json.
package prune

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/task"
)

// Scorer gives each example of a data set a number: the larger, the more the example matters. Scores of an example depend on
// that example and the model only, never on what else is in its batch.
type Scorer interface {
	// Prepare compiles what the scorer needs of the model that p feeds, for the task t.
	Prepare(t *task.Task, p *feed.Plan) (Scoring, error)
}

// Scoring is a scorer ready for one model.
type Scoring interface {
	// Score writes the scores of the examples of a batch, of which truth is the truth.
	Score(ctx context.Context, b *data.Batch, truth *task.Truth, out []float64) error
}

var scorers = registry.Table[Scorer]{Kind: "score"}

// Scorers is the table of scorers.
func Scorers() *registry.Table[Scorer] { return &scorers }

// ScoreConfig says how data is fed to a scorer.
type ScoreConfig struct {
	Task       *task.Task       // what outputs and labels mean; nil: what task.Of finds
	Feed       *feed.Plan       // what the inputs get; nil: arrays by name. It is used for every model with the same inputs
	BatchSize  int              // 0: 64
	Preprocess *data.Preprocess // nil: pictures as they are; there is no augmentation
	Progress   func(done, total int)
}

// Score computes the score of every example of ds by one model.
func Score(ctx context.Context, m *engine.Model, s Scorer, ds data.Dataset, c ScoreConfig) ([]float64, error) {
	if ds.Len() == 0 {
		return nil, fmt.Errorf("prune: the data set is empty")
	}
	if c.BatchSize <= 0 {
		c.BatchSize = 64
	}
	var err error
	if c.Feed == nil {
		c.Feed, err = feed.For(m, ds, feed.Options{})
	} else {
		c.Feed, err = c.Feed.With(m)
	}
	if err != nil {
		return nil, err
	}
	if c.Task == nil {
		if c.Task, err = task.Of(ctx, c.Feed, ds, task.Options{Preprocess: c.Preprocess}); err != nil {
			return nil, err
		}
	}
	sc, err := s.Prepare(c.Task, c.Feed)
	if err != nil {
		return nil, err
	}
	out := make([]float64, ds.Len())
	done := 0
	o := data.BatchOptions{Preprocess: c.Preprocess, Masks: c.Task.Masks()}
	for b, err := range data.Batches(ctx, ds, data.Sequential(ds.Len()), c.BatchSize, o) {
		if err != nil {
			return nil, err
		}
		truth, err := c.Task.Truth(b)
		if err != nil {
			return nil, fmt.Errorf("prune: %w", err)
		}
		row := out[done : done+b.Len()]
		if err := sc.Score(ctx, b, truth, row); err != nil {
			return nil, err
		}
		for i, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("prune: the score of example %q is %v: is the model's output finite there?", b.IDs[i], v)
			}
		}
		if done += b.Len(); c.Progress != nil {
			c.Progress(done, ds.Len())
		}
	}
	return out, nil
}
