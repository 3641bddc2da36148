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
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/tensor"
)

// Scorer gives each example of a data set a number: the larger, the more the example matters. Scores of an example depend on
// that example and the model only, never on what else is in its batch.
type Scorer interface {
	// Prepare compiles what the scorer needs of m.
	Prepare(m *engine.Model) (Scoring, error)
}

// Scoring is a scorer ready for one model.
type Scoring interface {
	// Score writes the scores of the examples of a batch, whose model input is x and whose classes are labels.
	Score(ctx context.Context, x *tensor.Tensor, labels []int64, out []float64) error
}

var scorers = registry.Table[Scorer]{Kind: "score"}

// Scorers is the table of scorers.
func Scorers() *registry.Table[Scorer] { return &scorers }

// ScoreConfig says how data is fed to a scorer.
type ScoreConfig struct {
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
	sc, err := s.Prepare(m)
	if err != nil {
		return nil, err
	}
	out := make([]float64, ds.Len())
	done := 0
	for b, err := range data.Batches(ctx, ds, data.Sequential(ds.Len()), c.BatchSize, data.BatchOptions{Preprocess: c.Preprocess}) {
		if err != nil {
			return nil, err
		}
		for i, y := range b.Labels {
			if y < 0 {
				return nil, fmt.Errorf("prune: example %q has no class label", b.IDs[i])
			}
		}
		row := out[done : done+len(b.IDs)]
		x, err := m.Inputs()[0].Adapt(b.X)
		if err != nil {
			return nil, err
		}
		if err := sc.Score(ctx, x, b.Labels, row); err != nil {
			return nil, err
		}
		for i, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("prune: the score of example %q is %v: is the model's output finite there?", b.IDs[i], v)
			}
		}
		if done += len(b.IDs); c.Progress != nil {
			c.Progress(done, ds.Len())
		}
	}
	return out, nil
}

// onlyInput is the name of the one input of m.
func onlyInput(m *engine.Model) (string, error) {
	ins := m.Inputs()
	if len(ins) != 1 {
		return "", fmt.Errorf("prune: the model has %d inputs; a data set feeds exactly one", len(ins))
	}
	return ins[0].Name, nil
}
