package prune

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/memory"
)

// RunConfig says how scores are averaged over models.
type RunConfig struct {
	ScoreConfig
	Runs int // 0: 1
	// Model gives the model of a run, from 0: trained briefly from a fresh initialisation of its own. The scorers of all
	// runs see the same data.
	Model func(ctx context.Context, run int) (*engine.Model, error)
	// Scored is shown the model of a run when its scores are made. It may be nil.
	Scored func(ctx context.Context, run int, m *engine.Model) error
}

// Scores are the scores of a data set: the mean over the runs and their standard deviation.
type Scores struct {
	Name   string
	IDs    []string
	Labels []int
	Mean   []float64
	Std    []float64 // of the population of runs
	Runs   [][]float64

	Predicted   []int     // class that the models choose, by the mean of their probabilities; nil without classes
	Probability []float64 // of that class
}

// Run scores ds by the models of several runs. The mean is taken of the scores, which are norms, not of gradients.
func Run(ctx context.Context, name string, ds data.Dataset, c RunConfig) (*Scores, error) {
	s, err := scorers.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	all, err := RunAll(ctx, map[string]Scorer{name: s}, ds, c)
	if err != nil {
		return nil, err
	}
	return all[name], nil
}

// RunAll is Run for several scorers by the same models.
func RunAll(ctx context.Context, ss map[string]Scorer, ds data.Dataset, c RunConfig) (map[string]*Scores, error) {
	held, err := take(len(ss), ds.Len(), max(c.Runs, 1))
	if err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	out := map[string]*Scores{}
	for run := range max(c.Runs, 1) {
		m, err := c.Model(ctx, run)
		if err != nil {
			return nil, err
		}
		for name, s := range ss {
			v, err := Score(ctx, m, s, ds, c.ScoreConfig)
			if err != nil {
				return nil, err
			}
			if out[name] == nil {
				out[name] = newScores(name, ds)
			}
			out[name].Runs = append(out[name].Runs, v)
		}
		if c.Scored != nil {
			if err := c.Scored(ctx, run, m); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range out {
		s.average()
		memory.Tie(held, s)
	}
	return out, nil
}

// take asks the account of memory, before the work, for what n examples will need: ids, labels, means, deviations, an order and the scores
// of each run.
func take(scorers, n, runs int) (*memory.Grant, error) {
	const id = 40 // bytes, about
	return memory.Take(int64(n)*int64(scorers)*int64(id+4*8+8*runs), fmt.Sprintf("scoring %d examples", n))
}

func newScores(name string, ds data.Dataset) *Scores {
	s := &Scores{Name: name}
	for i := range ds.Len() {
		s.IDs = append(s.IDs, ds.ID(i))
		s.Labels = append(s.Labels, ds.Label(i))
	}
	return s
}

// average fills Mean and Std from Runs.
func (s *Scores) average() {
	n := len(s.IDs)
	s.Mean, s.Std = make([]float64, n), make([]float64, n)
	r := float64(len(s.Runs))
	for i := range n {
		for _, v := range s.Runs {
			s.Mean[i] += v[i] / r
		}
		for _, v := range s.Runs {
			d := v[i] - s.Mean[i]
			s.Std[i] += d * d / r
		}
		s.Std[i] = math.Sqrt(s.Std[i])
	}
}

// Order lists the examples by ascending score; equal scores by id.
func (s *Scores) Order() []int { return order(s.Mean, s.IDs) }
