package job

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/prune"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// kirsch is said where GraNd is asked for without training.
const kirsch = "GraNd of an untrained model says little more than the norm of the input and prunes no better than chance (Kirsch 2023, arXiv 2303.14753): " +
	"use el2n, or --score-epochs 1 or more"

// ScoringOptions say how training examples are scored.
type ScoringOptions struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Data        string       // data set, FORMAT:PATH[#SPLIT]; required
	DataOptions data.Options // of reading
	UseOptions               // what inputs and outputs mean
	Scores      []string     // names of scorers; nil means el2n
	Runs        int          // models whose scores are averaged, each with its own weights and order of data; 0 means 1
	ScoreEpochs int          // epochs of training before scoring; 0 scores the model as it is
	Reinit      string       // fresh weights for each run: head (last layer), all, or none; "" means head when there are several runs, else none
	TrainOptions
	Out   string // folder for the results; required
	Force bool   // write into a folder that is not empty
	Seed  uint64 // of everything random
}

// ScoringPlan is what a scoring would do.
type ScoringPlan struct {
	Schema   string   `json:"schema"`
	Examples int      `json:"examples"`
	Scores   []string `json:"scores"`
	Runs     int      `json:"runs"`
	Epochs   int      `json:"score_epochs"`
	Reinit   string   `json:"reinit"`

	Classes int `json:"-"`
	Kept    int `json:"-"` // about so many, by Prune
}

// scoring is a data set with its scores.
type scoring struct {
	*trainee
	c      ScoringOptions
	names  []string // of the scores
	runs   int
	epochs int
	reinit string
	scores map[string]*prune.Scores
}

// open reads model and data; verb is the command that messages name.
func (c ScoringOptions) open(ctx context.Context, verb string, rep Reporter) (*scoring, error) {
	s := &scoring{c: c, names: c.Scores, runs: cmp.Or(c.Runs, 1), epochs: c.ScoreEpochs, reinit: c.Reinit}
	if s.names == nil {
		s.names = []string{"el2n"}
	}
	if s.reinit == "" {
		s.reinit = "none"
		if s.runs > 1 {
			s.reinit = "head"
		}
	}
	switch {
	case c.Data == "":
		return nil, usagef("gtk %s: --data is missing; see gtk data --list", verb)
	case s.runs < 1:
		return nil, usagef("--runs %d: want at least 1", s.runs)
	case s.epochs < 0:
		return nil, usagef("--score-epochs %d: must not be negative", s.epochs)
	case s.reinit != "head" && s.reinit != "all" && s.reinit != "none":
		return nil, usagef("--reinit %q: want head, all or none", s.reinit)
	}
	for i, n := range s.names {
		if _, err := prune.Scorers().Lookup(n); err != nil {
			return nil, usagef("--score: %v", err)
		}
		if slices.Contains(s.names[:i], n) {
			return nil, usagef("--score: %s is given twice", n)
		}
	}
	l, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	if s.reinit != "none" && c.Labels == "" {
		l.Labels = nil // the data says what the classes are
	}
	u, err := openUse(l, c.Data, c.DataOptions, c.UseOptions)
	if err != nil {
		return nil, err
	}
	s.trainee = &trainee{use: u, train: u.ds, stored: u.pre}
	m, err := s.fresh(0)
	if err != nil {
		return nil, err
	}
	first, err := u.with(m)
	if err != nil {
		return nil, badInput(err)
	}
	first.fewer = "give --reinit head for a fresh last layer of the right size"
	loss, err := c.loss()
	if err != nil {
		return nil, err
	}
	if err := first.understand(ctx, c.UseOptions, loss); err != nil {
		return nil, err
	}
	u.task = first.task
	if u.task.Kind == task.Multiclass || u.task.Kind == task.Binary {
		if err := data.Check(u.ds); err != nil {
			return nil, err
		}
	}
	if s.runs > 1 && s.reinit == "none" && s.epochs == 0 {
		s.notes = append(s.notes, "all runs score the same model: give --reinit head, or --runs 1")
	}
	if s.epochs == 0 && slices.Contains(s.names, "grand") {
		s.notes = append(s.notes, kirsch)
	}
	s.cache(c.Augment)
	return s, nil
}

// fresh is the model that run begins with.
func (s *scoring) fresh(run int) (*engine.Model, error) {
	file, err := s.File(), error(nil)
	seed := s.c.Seed + uint64(run)
	switch s.reinit {
	case "head":
		file, _, err = train.ReplaceHead(file, max(len(s.train.Classes()), 2), seed)
	case "all":
		if need, have := len(s.train.Classes()), outputClasses(s.Model.Model); need != have {
			if file, _, err = train.ReplaceHead(file, need, seed); err != nil {
				return nil, badInput(err)
			}
		}
		file, err = train.Reinit(file, seed)
	}
	if err != nil {
		return nil, badInput(err)
	}
	return loadAgain(file, s.c.Threads)
}

// prepared is the model of a run, trained for some epochs.
func (s *scoring) prepared(ctx context.Context, run int, rep Reporter) (*engine.Model, error) {
	m, err := s.fresh(run)
	if err != nil || s.epochs == 0 {
		return m, err
	}
	cfg, _, err := s.c.config(m, "auto", s.c.Seed+uint64(run))
	if err != nil {
		return nil, err
	}
	cfg.Epochs, cfg.Preprocess, cfg.Task = s.epochs, s.pre, s.task
	if cfg.Feed, err = s.plan.With(m); err != nil {
		return nil, err
	}
	if _, err := fitStage(ctx, m, s.train, cfg, fmt.Sprintf("run %d/%d", run+1, s.runs), rep); err != nil {
		return nil, err
	}
	return m, nil
}

// run computes all scores.
func (s *scoring) run(ctx context.Context, rep Reporter) error {
	for _, n := range s.notes {
		rep.Note(n)
	}
	all := map[string]prune.Scorer{}
	for _, n := range s.names {
		x, err := prune.Scorers().Lookup(n)
		if err != nil {
			return err
		}
		all[n] = x
	}
	bar := rep.Stage("score", s.train.Len())
	defer bar.End()
	var err error
	s.scores, err = prune.RunAll(ctx, all, s.train, prune.RunConfig{
		ScoreConfig: prune.ScoreConfig{Task: s.task, Feed: s.plan, Preprocess: s.pre, Progress: func(done, _ int) { bar.Set(done, "") }},
		Runs:        s.runs,
		Model:       func(ctx context.Context, run int) (*engine.Model, error) { return s.prepared(ctx, run, rep) },
	})
	return err
}

// plan says what a scoring would do.
func (s *scoring) planned(rep Reporter) *ScoringPlan {
	for _, n := range s.notes {
		rep.Note(n)
	}
	return &ScoringPlan{
		Schema: "gtk.plan/1", Examples: s.train.Len(), Scores: s.names, Runs: s.runs, Epochs: s.epochs, Reinit: s.reinit, Classes: len(s.train.Classes()),
	}
}

// ScoreSummary is one score of all examples.
type ScoreSummary struct {
	Score    string            `json:"score"`
	N        int               `json:"n"`
	Mean     float64           `json:"mean"`
	Min      float64           `json:"min"`
	Median   float64           `json:"median"`
	Max      float64           `json:"max"`
	Spread   float64           `json:"std_between_runs"`
	CSV      string            `json:"csv"`
	Spearman map[string]Number `json:"spearman,omitempty"` // with the other scores
}

// write puts scores.csv (and scores-NAME.csv for every score when there are several) into dir and returns a summary of each.
func (s *scoring) write(dir string) ([]ScoreSummary, error) {
	var out []ScoreSummary
	for i, n := range s.names {
		x := s.scores[n]
		paths := []string{}
		if i == 0 {
			paths = append(paths, "scores.csv")
		}
		if len(s.names) > 1 {
			paths = append(paths, "scores-"+n+".csv")
		}
		for _, p := range paths {
			if err := WriteTo(filepath.Join(dir, p), func(w io.Writer) error { return x.WriteCSV(w, s.train.Classes()) }); err != nil {
				return nil, err
			}
		}
		sum := ScoreSummary{Score: n, N: len(x.Mean), CSV: filepath.Join(dir, paths[len(paths)-1]), Spearman: map[string]Number{}}
		order := x.Order()
		sum.Min, sum.Median, sum.Max = x.Mean[order[0]], x.Mean[order[len(order)/2]], x.Mean[order[len(order)-1]]
		for j := range x.Mean {
			sum.Mean += x.Mean[j] / float64(len(x.Mean))
			sum.Spread += x.Std[j] / float64(len(x.Std))
		}
		for _, other := range s.names {
			if other != n {
				sum.Spearman[other] = Number(prune.Spearman(x.Mean, s.scores[other].Mean))
			}
		}
		out = append(out, sum)
	}
	return out, nil
}

// suspects are the examples with the highest two percent of scores, highest first: candidates for label errors.
func suspects(s *prune.Scores) []int {
	order := s.Order()
	n := max(1, int(math.Round(0.02*float64(len(order)))))
	top := slices.Clone(order[len(order)-n:])
	slices.Reverse(top)
	return top
}

// plantedAmong counts how many of the examples idx have a label that was changed on purpose; ok is false when the data has none.
func plantedAmong(ds data.Dataset, idx []int) (hit, total int, ok bool) {
	planted := map[string]bool{}
	for _, id := range data.Planted(ds) {
		planted[id] = true
	}
	for _, i := range idx {
		if planted[ds.ID(i)] {
			hit++
		}
	}
	return hit, len(planted), len(planted) > 0
}
