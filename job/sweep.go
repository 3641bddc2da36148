package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/task"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/internal/whole"
)

// Ways of a sweep to choose its trials.
const (
	SearchGrid    = "grid"    // every combination
	SearchRandom  = "random"  // some, by chance
	SearchHalving = "halving" // some by chance, the better ones trained for longer
)

// Searches are the values of SweepConfig.Search.
var Searches = []string{SearchGrid, SearchRandom, SearchHalving}

// SweepConfig says what is tried.
type SweepConfig struct {
	Over      []string          // flags with their values, see ParseSweepAxis; required
	Search    string            // of Searches; "" means grid
	Trials    int               // of random and halving; 0 means 20
	Epochs    int               // of the last rung of halving
	MinEpochs int               // of the first; 0 means 1
	Eta       int               // of halving: one of so many goes on; 0 means 3
	Metric    string            // to choose by: a metric of the validation data, or loss; "" means the task's own
	Out       string            // folder; required
	Force     bool              // begin anew where a sweep is there
	Resume    bool              // go on with the sweep that is there
	Seed      uint64            // of what is drawn
	Base      map[string]string // the other flags, by which a resume is known to be of the same sweep
	Replay    []byte            // content of run.yaml; nil for none

	// Check says what is wrong with a trial that has these flags, before any begins. It may be nil.
	Check func(t Trial) error
	// Run trains a trial: what it finds of it in t.Dir afterwards is what it did. Required.
	Run func(ctx context.Context, t Trial) error
	// Line is the command line of a trial whose output is called out. It may be nil.
	Line func(t Trial, out string) string
}

// Trial is one training of a sweep.
type Trial struct {
	Dir    string       // its folder
	Values []SweepValue // flags that are varied
	Epochs int          // 0: as the flags say
	Resume bool         // it has begun, and left a checkpoint
}

// States of a trial besides those of runs.
const (
	TrialPlanned = "planned"
	TrialFailed  = "failed" // with an error
)

// TrialReport is what a trial did.
type TrialReport struct {
	Name     string       `json:"name"` // of its folder
	Values   []SweepValue `json:"values"`
	Rung     int          `json:"rung,omitempty"` // of halving, from 1
	Epochs   int          `json:"epochs,omitempty"`
	Status   string       `json:"status"`
	Value    Number       `json:"value"` // the metric in the best epoch
	Epoch    int          `json:"best_epoch"`
	Loss     Number       `json:"val_loss"` // there
	Training Number       `json:"train_loss"`
	Seconds  float64      `json:"seconds"`
	Error    string       `json:"error,omitempty"`
}

// SweepReport is what a sweep did, and what its folder says of it (sweep.json).
type SweepReport struct {
	Schema  string            `json:"schema"`
	Search  string            `json:"search"`
	Over    []string          `json:"over"`
	Base    map[string]string `json:"base"`
	Seed    uint64            `json:"seed"`
	Metric  string            `json:"metric"`
	Lower   bool              `json:"lower_is_better"`
	Trials  []*TrialReport    `json:"trials"`
	Best    *TrialReport      `json:"best"`
	Command string            `json:"command,omitempty"` // that trains the best
	Seconds float64           `json:"seconds"`           // of all trials
	Out     string            `json:"out"`
	Report  string            `json:"report,omitempty"`
	Resumed int               `json:"resumed,omitempty"` // trials that were done before

	rungs   []SweepRung
	earlier []*TrialReport // what the folder knew of its trials when this part of the sweep began
}

// Sweep trains a model again and again, with other values of flags each time, and says which are best. Each trial is a run in a folder of
// its own. A sweep that was stopped goes on where it was: what is done stays, and the trial that was running goes on from its checkpoint.
func Sweep(ctx context.Context, c SweepConfig, rep Reporter) (*SweepReport, error) {
	rep = orQuiet(rep)
	r, err := c.plan()
	if err != nil {
		return nil, err
	}
	if c.Check != nil {
		for _, t := range r.Trials {
			if err := c.Check(c.trial(t)); err != nil {
				return nil, fmt.Errorf("trial %s: %w", sweepName(t.Values), err)
			}
		}
	}
	if IsSweep(c.Out) && !c.Resume && !c.Force {
		return nil, usagef("there is a sweep in %s: --resume %[1]s goes on with it, --force begins anew", c.Out)
	}
	release, err := claim(nil, output{flag: "--out", path: c.Out, folder: true, force: c.Force || c.Resume})
	if err != nil {
		return nil, err
	}
	defer release()
	if err := c.continued(r); err != nil {
		return nil, err
	}
	if !c.Resume {
		if err := c.clear(); err != nil {
			return nil, err
		}
	}
	if c.Replay != nil {
		if err := WriteFile(filepath.Join(c.Out, "run.yaml"), writerOf(c.Replay)); err != nil {
			return nil, err
		}
	}
	if err := c.save(r); err != nil {
		return nil, err
	}
	if err := c.run(ctx, r, rep); err != nil {
		return nil, err
	}
	if r.Best == nil {
		for _, t := range r.Trials {
			if t.Error != "" {
				return r, badInput(fmt.Errorf("no trial came to an end; the first one (%s): %s", sweepName(t.Values), t.Error))
			}
		}
		return r, badInput(errors.New("no trial came to an end"))
	}
	r.Report = filepath.Join(c.Out, reportPage)
	if err := c.save(r); err != nil {
		return nil, err
	}
	return r, WriteFile(r.Report, c.page(r).Write)
}

// SweepPlan is what a sweep would try.
type SweepPlan struct {
	Schema string      `json:"schema"`
	Total  int         `json:"total"`
	Lines  []string    `json:"trials"` // their values, or their command lines
	Rungs  []SweepRung `json:"rungs,omitempty"`
}

// SweepRung is a stage of successive halving.
type SweepRung struct {
	Trials int `json:"trials"`
	Epochs int `json:"epochs"`
}

// PlanSweep says what Sweep would try; Out may be "".
func PlanSweep(c SweepConfig) (*SweepPlan, error) {
	c.Out = cmp.Or(c.Out, "sweep")
	r, err := c.plan()
	if err != nil {
		return nil, err
	}
	p := &SweepPlan{Schema: "gtk.sweep-plan/1", Total: r.total(), Rungs: r.rungs}
	for _, t := range r.Trials {
		line := sweepName(t.Values)
		if c.Check != nil {
			if err := c.Check(c.trial(t)); err != nil {
				return nil, fmt.Errorf("trial %s: %w", line, err)
			}
		}
		if c.Line != nil {
			line = c.Line(c.trial(t), filepath.Join(c.Out, t.Name))
		}
		p.Lines = append(p.Lines, line)
	}
	return p, nil
}

// plan makes the trials; those of the later rungs of halving come when the earlier ones are done.
func (c *SweepConfig) plan() (*SweepReport, error) {
	c.Search, c.Trials, c.MinEpochs, c.Eta = cmp.Or(c.Search, SearchGrid), cmp.Or(c.Trials, 20), cmp.Or(c.MinEpochs, 1), cmp.Or(c.Eta, 3)
	switch {
	case !slices.Contains(Searches, c.Search):
		return nil, usagef("--search %q: want one of %s", c.Search, strings.Join(Searches, ", "))
	case len(c.Over) == 0:
		return nil, usagef("gtk sweep: what is varied is missing: --over NAME=VALUES, as in --over lr=0.001,0.01")
	case c.Out == "":
		return nil, usagef("gtk sweep: the output is missing: give -o FOLDER")
	case c.Trials < 1 || c.Trials > mostTrials:
		return nil, usagef("--trials %d: want a number from 1 to %d", c.Trials, mostTrials)
	}
	if c.Metric != "" && c.Metric != "loss" {
		if _, err := task.Metrics().Lookup(c.Metric); err != nil {
			return nil, usagef("--metric: %v; or loss", err)
		}
	}
	var axes []SweepAxis
	for _, s := range c.Over {
		a, err := ParseSweepAxis(s)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(axes, func(b SweepAxis) bool { return a.Name == b.Name }) {
			return nil, usagef("--over: %s is there twice", a.Name)
		}
		axes = append(axes, a)
	}
	base := maps.Clone(c.Base)
	if base == nil {
		base = map[string]string{}
	}
	if c.Metric != "" {
		base["metric"] = c.Metric
	}
	if c.Search == SearchHalving { // by which the rungs go
		base["trials"], base["eta"], base["min-epochs"] = strconv.Itoa(c.Trials), strconv.Itoa(c.Eta), strconv.Itoa(c.MinEpochs)
	}
	r := &SweepReport{Schema: "gtk.sweep/1", Search: c.Search, Over: c.Over, Base: base, Seed: c.Seed, Metric: c.Metric, Out: c.Out,
		Trials: []*TrialReport{}}
	var all [][]SweepValue
	var err error
	if c.Search == SearchGrid {
		all, err = sweepGrid(axes)
	} else {
		all = sweepRandom(axes, c.Trials, c.Seed)
	}
	if err != nil {
		return nil, err
	}
	epochs := 0
	if c.Search == SearchHalving {
		if slices.ContainsFunc(axes, func(a SweepAxis) bool { return a.Name == "epochs" }) {
			return nil, usagef("--over epochs: halving chooses the epochs itself, up to --epochs")
		}
		if r.rungs, err = halvingRungs(len(all), c.Epochs, c.MinEpochs, c.Eta); err != nil {
			return nil, err
		}
		epochs = r.rungs[0].Epochs
	}
	r.enter(all, min(1, len(r.rungs)), epochs)
	return r, nil
}

// enter adds planned trials, of a rung where there are rungs.
func (r *SweepReport) enter(all [][]SweepValue, rung, epochs int) {
	for i, vs := range all {
		name := fmt.Sprintf("%03d", i+1)
		if rung > 0 {
			name = filepath.Join(fmt.Sprintf("rung%d", rung), name)
		}
		r.Trials = append(r.Trials, &TrialReport{Name: name, Values: vs, Rung: rung, Epochs: epochs, Status: TrialPlanned,
			Value: Number(math.NaN()), Loss: Number(math.NaN()), Training: Number(math.NaN())})
		r.Trials[len(r.Trials)-1].takeOver(r.earlier)
	}
}

// trial is what is run for t.
func (c *SweepConfig) trial(t *TrialReport) Trial {
	return Trial{Dir: filepath.Join(c.Out, t.Name), Values: t.Values, Epochs: t.Epochs}
}

// run goes through the trials, and through the rungs.
func (c *SweepConfig) run(ctx context.Context, r *SweepReport, rep Reporter) error {
	stage := rep.Stage("sweep", r.total())
	defer stage.End()
	for i := 0; i < len(r.Trials) || r.promote(); i++ {
		t := r.Trials[i]
		if t.Status == TrialPlanned {
			stage.Set(i, sweepName(t.Values))
			if err := c.one(ctx, r, t); err != nil {
				return err
			}
			rep.Say(fmt.Sprintf("trial %d of %d: %s", i+1, r.total(), r.line(t)))
		} else {
			r.Resumed++
		}
		r.choose()
		if err := c.save(r); err != nil {
			return err
		}
	}
	if r.Best != nil && c.Line != nil {
		r.Command = c.Line(c.trial(r.Best), "best")
	}
	return nil
}

// total is how many trials there will be.
func (r *SweepReport) total() int {
	n := 0
	for _, x := range r.rungs {
		n += x.Trials
	}
	return max(n, len(r.Trials))
}

// line is a trial in words.
func (r *SweepReport) line(t *TrialReport) string {
	switch t.Status {
	case RunDone:
		return fmt.Sprintf("%s: %s %s in epoch %d (%s)", sweepName(t.Values), MetricName(r.Metric),
			MetricText(r.Metric, float64(t.Value)), t.Epoch, units.Time(t.Seconds))
	case RunDiverged:
		return sweepName(t.Values) + ": diverged"
	}
	return sweepName(t.Values) + ": " + t.Status + ": " + t.Error
}

// one runs a trial, or goes on with it. The error is one that ends the sweep: that of a trial is in its report.
func (c *SweepConfig) one(ctx context.Context, r *SweepReport, t *TrialReport) error {
	x := c.trial(t)
	switch run, err := ReadRun(x.Dir); { // what is there is this sweep's own
	case errors.Is(err, fs.ErrNotExist), KindOf(err) == KindInput:
	case err != nil:
		return err
	case run.Status == RunDone, run.Status == RunDiverged:
		return r.take(t, run)
	}
	if _, err := os.Lstat(filepath.Join(x.Dir, "checkpoint.npz")); err == nil {
		x.Resume = true
	} else if err := whole.RemoveFolder(x.Dir); err != nil { // what a trial that came to no checkpoint has left is in the way of the next
		return err
	}
	err := c.Run(ctx, x)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if kind := KindOf(err); err != nil && (kind == KindIO || kind == KindInternal) {
		return fmt.Errorf("trial %s: %w", sweepName(t.Values), err)
	}
	run, rerr := ReadRun(x.Dir)
	switch {
	case err != nil && rerr == nil && run.Status == RunDiverged:
		t.Error = err.Error()
		return r.take(t, run)
	case err != nil:
		t.Status, t.Error = TrialFailed, err.Error()
		return nil
	case rerr != nil:
		return rerr
	}
	return r.take(t, run)
}

// take takes in what a run did.
func (r *SweepReport) take(t *TrialReport, run *RunFolder) error {
	t.Status, t.Seconds, t.Training = run.Status, run.Seconds, run.TrainLoss
	if r.Metric == "" {
		r.Metric = run.Metric
	}
	r.Lower = r.Metric == "loss" || metricLower(r.Metric)
	if run.Status != RunDone {
		return nil
	}
	b := run.bestBy(r.Metric, r.Lower)
	if b == nil {
		return usagef("trial %s: its validation has no %s, by which trials are compared, but %s, and the loss: --metric names what all of them "+
			"have",
			sweepName(t.Values), r.Metric, strings.Join(metricNames([]*RunFolder{run}), ", "))
	}
	t.Value, t.Epoch, t.Loss = b.Value, b.Epoch, b.Loss
	return nil
}

// bestBy is the best epoch by a metric or the loss, nil where it was not measured.
func (r *RunFolder) bestBy(metric string, lower bool) *BestEpoch {
	if metric == r.Metric && r.Best != nil {
		return r.Best
	}
	var best *BestEpoch
	for _, q := range r.History {
		if q.Val == nil {
			continue
		}
		v, ok := q.Val.Metrics[metric]
		if metric == "loss" {
			v, ok = q.Val.Loss, true
		}
		if ok && v == v && (best == nil || better(float64(v), float64(best.Value), lower)) {
			best = &BestEpoch{Epoch: q.Epoch, Step: q.Step, Metric: metric, Value: v, Loss: q.Val.Loss}
		}
	}
	return best
}

// ranked are the trials of a rung that are done, the best first.
func (r *SweepReport) ranked(rung int) []*TrialReport {
	var ts []*TrialReport
	for _, t := range r.Trials {
		if t.Rung == rung && t.Status == RunDone {
			ts = append(ts, t)
		}
	}
	slices.SortStableFunc(ts, func(a, b *TrialReport) int {
		return cmp.Or(finiteFirst(float64(a.Value), float64(b.Value), r.Lower), finiteFirst(float64(a.Loss), float64(b.Loss), true))
	})
	return ts
}

// last is the rung of the last trial.
func (r *SweepReport) last() int { return r.Trials[len(r.Trials)-1].Rung }

// choose finds the best trial: of the last rung that has one.
func (r *SweepReport) choose() {
	r.Best, r.Seconds = nil, 0
	for _, t := range r.Trials {
		r.Seconds += t.Seconds
	}
	for rung := r.last(); rung >= 0 && r.Best == nil; rung-- {
		if ts := r.ranked(rung); len(ts) > 0 {
			r.Best = ts[0]
		}
	}
}

// promote enters the best trials of the last rung into the next one; false where there is none.
func (r *SweepReport) promote() bool {
	k := r.last()
	if k == 0 || k >= len(r.rungs) {
		return false
	}
	ts := r.ranked(k)
	next := r.rungs[k]
	var all [][]SweepValue
	for _, t := range ts[:min(len(ts), next.Trials)] {
		all = append(all, t.Values)
	}
	r.enter(all, k+1, next.Epochs)
	return len(all) > 0
}
