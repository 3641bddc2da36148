package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/prune"
	"github.com/gtk-onnx/gtk/train"
	ucli "github.com/urfave/cli/v2"
)

// kirsch is said where GraNd is asked for without training.
const kirsch = "GraNd of an untrained model says little more than the norm of the input and prunes no better than chance (Kirsch 2023, arXiv 2303.14753): " +
	"use el2n, or --score-epochs 1 or more"

// scoringFlags are shared by score-data and prune-data.
func scoringFlags() []ucli.Flag {
	const group = "scoring"
	return slices.Concat([]ucli.Flag{
		dataFlag(),
		&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for the results"},
		&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty"},
		&ucli.BoolFlag{Name: "dry-run", Usage: "say what would be done"},
		&ucli.BoolFlag{Name: "list", Usage: "list the scores"},
		&ucli.StringSliceFlag{Name: "score", Category: group, Value: ucli.NewStringSlice("el2n"), Usage: "el2n, grand"},
		&ucli.IntFlag{Name: "runs", Category: group, Value: 1, Usage: "models whose scores are averaged; each has its own weights and order of data"},
		&ucli.IntFlag{Name: "score-epochs", Category: group, Value: 1, Usage: "epochs of training before scoring; 0 scores the model as it is"},
		&ucli.StringFlag{Name: "reinit", Category: group, Usage: "fresh weights for each run: head (last layer), all, or none; head when there are several runs, else none"},
	}, loopFlags("auto"), optimizerFlags(), dataFlags(), preprocessFlags())
}

// scoring is a data set with its scores.
type scoring struct {
	*trainee
	names  []string // of the scores
	runs   int
	epochs int
	reinit string
	scores map[string]*prune.Scores
}

// openScoring reads model and data and checks the flags.
func (e *env) openScoring(c *ucli.Context) (*scoring, error) {
	path, err := oneArg(c, "the model")
	if err != nil {
		return nil, err
	}
	s := &scoring{names: c.StringSlice("score"), runs: c.Int("runs"), epochs: c.Int("score-epochs"), reinit: c.String("reinit")}
	if s.reinit == "" {
		s.reinit = "none"
		if s.runs > 1 {
			s.reinit = "head"
		}
	}
	switch {
	case c.String("data") == "":
		return nil, usagef("gtk %s: --data is missing; see gtk data --list", c.Command.Name)
	case c.String("out") == "" && !c.Bool("dry-run"):
		return nil, usagef("gtk %s: the output folder is missing: give -o DIR", c.Command.Name)
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
	l, err := e.loadModel(c, path)
	if err != nil {
		return nil, err
	}
	s.trainee = &trainee{loaded: l}
	if s.reinit != "none" && c.String("labels") == "" {
		l.Labels = nil // the data says what the classes are
	}
	ds, pre, assumed, err := openData(c, l, c.String("data"))
	if err != nil {
		return nil, err
	}
	if err := data.Check(ds); err != nil {
		return nil, err
	}
	s.train, s.pre, s.stored = ds, pre, pre
	if assumed != "" {
		s.notes = append(s.notes, assumed)
	}
	if need, have := len(ds.Classes()), outputClasses(l.Model); s.reinit == "none" && have > 0 && need > have {
		return nil, usagef("the data has %d classes, the model only %d: give --reinit head for a fresh last layer of the right size", need, have)
	}
	if s.runs > 1 && s.reinit == "none" && s.epochs == 0 {
		s.notes = append(s.notes, "all runs score the same model: give --reinit head, or --runs 1")
	}
	if s.epochs == 0 && slices.Contains(s.names, "grand") {
		s.notes = append(s.notes, kirsch)
	}
	s.trainee.cache(c)
	return s, nil
}

// fresh is the model that run begins with.
func (s *scoring) fresh(e *env, run int) (*engine.Model, error) {
	file, err := s.File(), error(nil)
	seed := e.Seed + uint64(run)
	switch s.reinit {
	case "head":
		file, _, err = train.ReplaceHead(file, max(len(s.train.Classes()), 2), seed)
	case "all":
		if need, have := len(s.train.Classes()), outputClasses(s.Model); need != have {
			if file, _, err = train.ReplaceHead(file, need, seed); err != nil {
				return nil, badInput(err)
			}
		}
		file, err = train.Reinit(file, seed)
	}
	if err != nil {
		return nil, badInput(err)
	}
	return loadAgain(e, file)
}

func loadAgain(e *env, file *onnx.Model) (*engine.Model, error) {
	m, err := engine.Load(file, engine.WithThreads(e.Threads))
	return m, badInput(err)
}

// prepared is the model of a run, trained for some epochs.
func (s *scoring) prepared(ctx context.Context, e *env, c *ucli.Context, run int) (*engine.Model, error) {
	m, err := s.fresh(e, run)
	if err != nil || s.epochs == 0 {
		return m, err
	}
	cfg, _, err := e.loopConfig(c, m)
	if err != nil {
		return nil, err
	}
	cfg.Epochs, cfg.Preprocess, cfg.Seed = s.epochs, s.pre, e.Seed+uint64(run)
	if _, err := e.quietFit(ctx, m, s.train, cfg, fmt.Sprintf("run %d/%d", run+1, s.runs)); err != nil {
		return nil, err
	}
	return m, nil
}

// quietFit trains with a bar and without a table.
func (e *env) quietFit(ctx context.Context, m *engine.Model, ds data.Dataset, cfg train.Config, what string) (*train.Result, error) {
	bar := e.newProgress(what, cfg.Steps(ds.Len()))
	defer bar.end()
	cfg.Step = showSteps(bar)
	return train.Fit(ctx, m, ds, cfg)
}

// run computes all scores.
func (s *scoring) run(ctx context.Context, e *env, c *ucli.Context) error {
	for _, n := range s.notes {
		e.warn("%s", n)
	}
	all := map[string]prune.Scorer{}
	for _, n := range s.names {
		x, err := prune.Scorers().Lookup(n)
		if err != nil {
			return err
		}
		all[n] = x
	}
	bar := e.newProgress("score", s.train.Len())
	defer bar.end()
	var err error
	s.scores, err = prune.RunAll(ctx, all, s.train, prune.RunConfig{
		ScoreConfig: prune.ScoreConfig{Preprocess: s.pre, Progress: func(done, _ int) { bar.set(done, "") }},
		Runs:        s.runs,
		Model:       func(ctx context.Context, run int) (*engine.Model, error) { return s.prepared(ctx, e, c, run) },
	})
	return err
}

// plan prints what a scoring would do.
func (s *scoring) plan(e *env, more string) error {
	if err := e.emit(map[string]any{
		"schema": "gtk.plan/1", "examples": s.train.Len(), "scores": s.names, "runs": s.runs, "score_epochs": s.epochs, "reinit": s.reinit,
	}); err != nil {
		return err
	}
	for _, n := range s.notes {
		e.warn("%s", n)
	}
	e.printf("%d examples, %d classes; scores %s; models %d, epochs of each %d, fresh weights %s%s\nnothing was written\n",
		s.train.Len(), len(s.train.Classes()), strings.Join(s.names, ", "), s.runs, s.epochs, s.reinit, more)
	return nil
}

// scoreSummary is one score in the JSON output.
type scoreSummary struct {
	Score    string            `json:"score"`
	N        int               `json:"n"`
	Mean     float64           `json:"mean"`
	Min      float64           `json:"min"`
	Median   float64           `json:"median"`
	Max      float64           `json:"max"`
	Spread   float64           `json:"std_between_runs"`
	CSV      string            `json:"csv"`
	Spearman map[string]number `json:"spearman,omitempty"` // with the other scores
}

// write puts scores.csv (and scores-NAME.csv for every score when there are several) into dir and returns a summary of each.
func (s *scoring) write(dir string) ([]scoreSummary, error) {
	var out []scoreSummary
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
			if err := writeTo(filepath.Join(dir, p), func(w io.Writer) error { return x.WriteCSV(w, s.train.Classes()) }); err != nil {
				return nil, err
			}
		}
		sum := scoreSummary{Score: n, N: len(x.Mean), CSV: filepath.Join(dir, paths[len(paths)-1]), Spearman: map[string]number{}}
		order := x.Order()
		sum.Min, sum.Median, sum.Max = x.Mean[order[0]], x.Mean[order[len(order)/2]], x.Mean[order[len(order)-1]]
		for j := range x.Mean {
			sum.Mean += x.Mean[j] / float64(len(x.Mean))
			sum.Spread += x.Std[j] / float64(len(x.Std))
		}
		for _, other := range s.names {
			if other != n {
				sum.Spearman[other] = number(prune.Spearman(x.Mean, s.scores[other].Mean))
			}
		}
		out = append(out, sum)
	}
	return out, nil
}

// writeTo is writeFile for writers.
func writeTo(path string, write func(w io.Writer) error) error {
	return writeFile(path, func(f *os.File) error { return write(f) })
}

// printScores writes the summaries for people.
func (e *env) printScores(sums []scoreSummary) error {
	t := e.newTable(1, 2, 3, 4, 5)
	t.row("score", "n", "min", "median", "max", "std. of runs")
	for _, x := range sums {
		t.row(x.Score, x.N, fmt.Sprintf("%.4g", x.Min), fmt.Sprintf("%.4g", x.Median), fmt.Sprintf("%.4g", x.Max), fmt.Sprintf("%.3g", x.Spread))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for i, x := range sums {
		for _, y := range sums[:i] {
			e.printf("rank correlation of %s and %s: %.3f\n", y.Score, x.Score, float64(x.Spearman[y.Score]))
		}
	}
	return nil
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

// scorersList is what --list prints.
func scorersList() []listed { return listOf(prune.Scorers().Entries()) }

// oneScore is the score of a command that takes only one.
func oneScore(c *ucli.Context) error {
	if n := c.StringSlice("score"); len(n) != 1 {
		return usagef("gtk %s takes one --score; gtk score-data compares several", c.Command.Name)
	}
	return nil
}
