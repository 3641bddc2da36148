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
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/prune"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// kirsch is said where GraNd is asked for without training.
const kirsch = "GraNd of an untrained model says little more than the norm of the input and prunes no better than chance (Kirsch 2023, " +
	"arXiv 2303.14753): " +
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
	// ScoreEpochs are epochs of training before scoring; 0 scores the model as it is. nil is 0 for a model that knows its task better
	// than chance on the data, and 1 for any other and for fresh weights.
	ScoreEpochs *int
	Reinit      string // fresh weights for each run: head (last layer), all, or none; "" means head when there are several runs, else none
	TrainOptions
	Out    string // folder for the results; required
	Replay []byte // content of the run.yaml that is written there; nil for none
	Force  bool   // write into a folder that is not empty
	Seed   uint64 // of everything random
}

// claim checks the output before the work.
func (c ScoringOptions) claim(val string) (release func(), err error) {
	if c.Out == "" {
		return nil, usagef("the output folder is missing: give -o DIR")
	}
	return claim(reads(c.Model, c.ModelOptions, c.Data, val), output{flag: "--out", path: c.Out, folder: true, force: c.Force})
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
	s := &scoring{c: c, names: c.Scores, runs: cmp.Or(c.Runs, 1), reinit: c.Reinit}
	if s.names == nil {
		s.names = []string{"el2n"}
	}
	if s.reinit == "" {
		s.reinit = "none"
		if s.runs > 1 {
			s.reinit = "head"
		}
	}
	if c.ScoreEpochs != nil {
		s.epochs = *c.ScoreEpochs
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
	l, err := openModel(c.Model, c.ModelOptions, rep, engine.WithTrainable(c.Trainable...))
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
	u.labelled()
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
	loss, err := c.loss(first.classNames(u.ds))
	if err != nil {
		return nil, err
	}
	if err := first.understand(ctx, c.UseOptions, loss); err != nil {
		return nil, err
	}
	u.task, u.notes = first.task, first.notes
	if err := s.mayAugment(c.Augment); err != nil {
		return nil, err
	}
	if err := s.maySample(c.TrainOptions); err != nil {
		return nil, err
	}
	if u.task.Kind == task.Multiclass || u.task.Kind == task.Binary {
		if err := data.Check(u.ds); err != nil {
			return nil, err
		}
	}
	if c.ScoreEpochs == nil {
		if s.epochs, err = s.usualEpochs(ctx); err != nil {
			return nil, err
		}
	}
	if s.runs > 1 && s.reinit == "none" && s.epochs == 0 {
		s.notes = append(s.notes, "all runs score the same model: give --reinit head, or --runs 1")
	}
	if s.epochs == 0 && slices.Contains(s.names, "grand") {
		trained := c.ScoreEpochs == nil // or it would be trained first
		if !trained && s.reinit == "none" {
			if trained, _, err = s.knows(ctx); err != nil {
				return nil, err
			}
		}
		if !trained {
			s.notes = append(s.notes, kirsch)
		}
	}
	s.cache(c.Augment)
	return s, nil
}

// usualEpochs is how long a model is trained before it is scored, unless that is said.
func (s *scoring) usualEpochs(ctx context.Context) (int, error) {
	if s.reinit != "none" {
		return 1, nil
	}
	knows, says, err := s.knows(ctx)
	if err != nil {
		return 0, err
	}
	if knows {
		s.notes = append(s.notes, fmt.Sprintf("the model is scored as it is, since it knows the data (%s); --score-epochs 1 would train "+
			"it first", says))
		return 0, nil
	}
	s.notes = append(s.notes, fmt.Sprintf("the model does not know the data yet (%s), so it is trained for one epoch before it is "+
		"scored; --score-epochs 0 scores it as it is", says))
	return 1, nil
}

// mostProbed bounds the examples on which it is found out whether a model was trained.
const mostProbed = 512

// knows reports whether the model is better on the data than a guess: right more often than the most frequent class comes, by a fifth of
// what is left and by three deviations; in a regression with a coefficient of determination above 0.1.
func (s *scoring) knows(ctx context.Context) (bool, string, error) {
	n := min(s.train.Len(), mostProbed)
	index := data.Drawn(s.train.Len(), n, s.c.Seed^0x6b6e6f7773)
	some, err := data.Subset(s.train, index)
	if err != nil {
		return false, "", err
	}
	counts, all, right := map[int]int{}, 0, 0
	v, err := train.Evaluate(ctx, s.Model.Model, some,
		train.EvalConfig{Task: s.task, Feed: s.plan, Preprocess: s.pre, Each: func(_ int, d *task.Decision) {
			all++
			right += b2i(d.Right())
			if d.Label >= 0 {
				counts[d.Label]++
			}
		}})
	if err != nil {
		return false, "", err
	}
	switch s.task.Kind {
	case task.Regression:
		r2 := v.Metric("r2")
		return r2 > 0.1, fmt.Sprintf("R² %.2g on %s", r2, units.Plural(n, "example")), nil
	case task.Multilabel:
		a := v.Metric("auroc")
		return a > 0.6, fmt.Sprintf("AUROC %.2g on %s", a, units.Plural(n, "example")), nil
	}
	most := 0
	for _, c := range counts {
		most = max(most, c)
	}
	chance, share := float64(most)/float64(max(all, 1)), float64(right)/float64(max(all, 1))
	bar := chance + max(3*math.Sqrt(chance*(1-chance)/float64(n)), 0.2*(1-chance)) // fresh networks lean to some classes
	return share > bar, fmt.Sprintf("%.0f %% right on %s, of which %.0f %% are of the most frequent class", 100*share,
		units.Plural(n, "example"), 100*chance), nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
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
	return loadAgain(file, s.c.Threads, engine.WithTrainable(s.c.Trainable...))
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
	p := s.newConsensus()
	s.scores, err = prune.RunAll(ctx, all, s.train, prune.RunConfig{
		ScoreConfig: prune.ScoreConfig{Task: s.task, Feed: s.plan, Preprocess: s.pre, Progress: func(done, _ int) { bar.Set(done, "") }},
		Runs:        s.runs,
		Model:       func(ctx context.Context, run int) (*engine.Model, error) { return s.prepared(ctx, run, rep) },
		Scored:      p.add,
	})
	if err != nil {
		return err
	}
	for _, x := range s.scores {
		x.Predicted, x.Probability = p.result()
	}
	return nil
}

// consensus is what the models of all runs say of the examples.
type consensus struct {
	s    *scoring
	prob []float32 // mean probabilities [N,K]; nil where an example has no class
	k    int
	runs int
}

// mostConsensus bounds the probabilities that are kept for the mean; with more, only the first run counts.
const mostConsensus = 1 << 27

func (s *scoring) newConsensus() *consensus {
	p := &consensus{s: s}
	if s.task.HasClasses() && !s.task.Positions() {
		p.k = s.task.NumClasses()
		if s.train.Len() <= mostConsensus/p.k {
			p.prob = make([]float32, s.train.Len()*p.k)
		} else {
			p.k = 0
		}
	}
	return p
}

func (p *consensus) add(ctx context.Context, _ int, m *engine.Model) error {
	if p.k == 0 {
		return nil
	}
	u, err := p.s.with(m)
	if err != nil {
		return err
	}
	u.ds, u.task = p.s.train, p.s.task
	p.runs++
	return u.predict(ctx, 64, Quiet, func(i int, d *task.Decision) error {
		for j, v := range d.Prob() {
			p.prob[i*p.k+j] += float32(v)
		}
		return nil
	})
}

// result is the class of the highest mean probability of each example, and that probability.
func (p *consensus) result() (class []int, prob []float64) {
	if p.k == 0 || p.runs == 0 {
		return nil, nil
	}
	for i := range len(p.prob) / p.k {
		row := p.prob[i*p.k : (i+1)*p.k]
		best := 0
		for j, v := range row {
			if v > row[best] {
				best = j
			}
		}
		class, prob = append(class, best), append(prob, float64(row[best])/float64(p.runs))
	}
	return class, prob
}

// plan says what a scoring would do.
func (s *scoring) planned(rep Reporter) *ScoringPlan {
	for _, n := range s.notes {
		rep.Note(n)
	}
	return &ScoringPlan{
		Schema: "gtk.plan/1", Examples: s.train.Len(), Scores: s.names, Runs: s.runs, Epochs: s.epochs, Reinit: s.reinit,
		Classes: len(s.train.Classes()),
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

// write puts scores.csv (and scores-NAME.csv for every score when there are several) into the folder and returns a summary of each.
func (s *scoring) write(to *results) ([]ScoreSummary, error) {
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
			if err := to.write(filepath.Join(to.dir, p), func(w io.Writer) error { return x.WriteCSV(w, s.train.Classes()) }); err != nil {
				return nil, err
			}
		}
		sum := ScoreSummary{Score: n, N: len(x.Mean), CSV: filepath.Join(to.dir, paths[len(paths)-1]), Spearman: map[string]Number{}}
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
