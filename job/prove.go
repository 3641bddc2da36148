package job

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// Proof compares trainings on all, kept and as many random examples by the metric of the task. Kept and random are trained Runs times,
// each time from another seed and with other random examples. Their difference is that of the share of right decisions of an example (in
// a regression of its loss, the sign turned), on the same examples, with its 95 % interval over examples and runs.
type Proof struct {
	N      int    `json:"n"`    // examples it is measured on
	Runs   int    `json:"runs"` // trainings on kept examples, and on random ones
	Steps  int    `json:"steps"`
	Metric string `json:"metric"`

	Full       Number   `json:"full"`   // of one training
	Pruned     Number   `json:"pruned"` // mean of the runs
	Random     Number   `json:"random"` // mean of the runs
	PrunedRuns []Number `json:"pruned_runs"`
	RandomRuns []Number `json:"random_runs"`

	Difference Number `json:"difference"` // kept less random: above 0 kept is better
	Low        Number `json:"low"`
	High       Number `json:"high"`
	Detectable Number `json:"detectable"` // smallest true difference that so many examples would show in four of five cases
	Conclusive bool   `json:"conclusive"` // the interval does not hold 0
	Says       string `json:"says"`
}

// holdOut finds the data that the proof is measured on.
func (s *scoring) holdOut(spec string) error {
	if spec != "" {
		classes := s.Labels
		if classes == nil {
			classes = s.train.Classes()
		}
		ds, err := data.Open(spec, readOptions(s.named(s.c.DataOptions), classes, s.c.UseOptions.remembered(s.Model), s.pre))
		if err != nil {
			return fmt.Errorf("--val: %w", err)
		}
		s.val = s.cachedAlike(ds)
		return nil
	}
	all := s.train
	var err error
	if s.train, s.val, err = data.Split(all, 0.2, s.c.Seed); err != nil {
		return err
	}
	s.notes = append(s.notes, fmt.Sprintf("%d of the %d examples are held out for the proof and neither scored nor kept; give --val to "+
		"avoid that", s.val.Len(), all.Len()))
	return nil
}

// cachedAlike is ds with the preprocessing that s.pre continues.
func (s *scoring) cachedAlike(ds data.Dataset) data.Dataset {
	if s.stored == nil || s.pre == s.stored {
		return ds
	}
	cached, _ := data.Cache(ds, *s.stored, cacheBytes)
	return cached
}

// prove trains the model on all, kept and random examples for the same number of steps.
func (s *scoring) prove(ctx context.Context, kept []int, epochs, runs int, rep Reporter) (*Proof, error) {
	p := &Proof{N: s.val.Len(), Runs: runs}
	p.Metric, _ = s.task.Primary()
	full, _, err := s.trial(ctx, p, nil, cmp.Or(epochs, 5), 0, "proof: all", rep)
	if err != nil {
		return nil, err
	}
	p.Full = full
	var ofKept, ofRandom [][]float64
	for run := range runs {
		of := ""
		if runs > 1 {
			of = fmt.Sprintf(" %d of %d", run+1, runs)
		}
		random := data.Drawn(s.train.Len(), len(kept), s.c.Seed^0x70726f6f66+uint64(run))
		for _, x := range []struct {
			what    string
			idx     []int
			metric  *[]Number
			quality *[][]float64
		}{{"kept", kept, &p.PrunedRuns, &ofKept}, {"random", random, &p.RandomRuns, &ofRandom}} {
			v, q, err := s.trial(ctx, p, x.idx, 0, run, "proof: "+x.what+of, rep)
			if err != nil {
				return nil, err
			}
			*x.metric, *x.quality = append(*x.metric, v), append(*x.quality, q)
		}
	}
	p.Pruned, p.Random = meanOf(p.PrunedRuns), meanOf(p.RandomRuns)
	p.judge(compare(ofKept, ofRandom), s.task.Kind == task.Regression)
	if data.Overlapping(s.val) {
		p.Conclusive = false
		p.Says = "it proves nothing, as the examples that it is measured on overlap in time and say the same thing twice: give --val " +
			"windows whose stride is " +
			"their length. As if they did not overlap: " + p.Says
	}
	return p, nil
}

func meanOf(v []Number) (m Number) {
	for _, x := range v {
		m += x / Number(len(v))
	}
	return m
}

// trial trains the model of a run on the examples idx, nil for all of them, and measures it: its metric, and the quality of each example.
// Without epochs it takes as many steps as the proof did before.
func (s *scoring) trial(ctx context.Context, p *Proof, idx []int, epochs, run int, what string, rep Reporter) (Number, []float64, error) {
	ds := s.train
	if idx != nil {
		var err error
		if ds, err = data.Subset(ds, idx); err != nil {
			return 0, nil, err
		}
	}
	m, err := s.fresh(run)
	if err != nil {
		return 0, nil, err
	}
	cfg, _, err := s.c.config(m, "auto", s.c.Seed+uint64(run))
	if err != nil {
		return 0, nil, err
	}
	cfg.Preprocess, cfg.Epochs, cfg.Task = s.pre, epochs, s.task
	if epochs == 0 {
		cfg.MaxSteps, cfg.Epochs = p.Steps, p.Steps // more epochs than it can take
	}
	if cfg.Feed, err = s.plan.With(m); err != nil {
		return 0, nil, err
	}
	res, err := fitStage(ctx, m, ds, cfg, what, rep)
	if err != nil {
		return 0, nil, err
	}
	p.Steps = res.Steps
	sum, n := memory.Slice[float64](s.val.Len(), "the results of the examples"), memory.Slice[float64](s.val.Len(),
		"the results of the examples")
	ec := train.EvalConfig{Task: s.task, Feed: cfg.Feed, Preprocess: s.pre, Each: func(i int, d *task.Decision) {
		n[i]++
		switch {
		case s.task.Kind == task.Regression:
			sum[i] -= d.Error2()
		case d.Right():
			sum[i]++
		}
	}}
	v, err := train.Evaluate(ctx, m, s.val, ec)
	if err != nil {
		return 0, nil, err
	}
	for i := range sum {
		sum[i] /= max(n[i], 1)
	}
	return Number(v.Metric(p.Metric)), sum, nil
}

// judge says what the comparison of kept and random shows.
func (p *Proof) judge(c paired, regression bool) {
	p.Difference, p.Low, p.High, p.Detectable, p.Conclusive = Number(c.diff), Number(c.low), Number(c.high), Number(c.detectable),
		c.conclusive
	what, show := "right decisions", func(v float64) string { return fmt.Sprintf("%+.1f", 100*v) }
	unit := " percentage points"
	if regression {
		what, unit = "squared error, the sign turned", ""
		show = func(v float64) string { return fmt.Sprintf("%+.3g", v) }
	}
	interval := fmt.Sprintf("%s, kept less random: %s (95 %% interval %s to %s)%s on %d examples, %d runs of each",
		what, show(c.diff), show(c.low), show(c.high), unit, p.N, max(p.Runs, 1))
	if p.Runs < 2 {
		interval = strings.Replace(interval, "1 runs of each", "one run of each, which says nothing of how runs differ", 1)
	}
	switch {
	case !c.conclusive:
		p.Says = fmt.Sprintf("it proves nothing: %s; differences below %s%s do not show on so few examples and runs", interval,
			show(c.detectable)[1:], unit)
	case c.diff > 0:
		p.Says = "the choice is better than chance: " + interval
	default:
		p.Says = "the choice is WORSE than chance: " + interval
	}
}

func (p *Proof) section(page *report.Report) {
	t := report.Table{Head: []string{"Trained on", p.Metric, "Runs"}}
	for _, x := range []struct {
		name string
		acc  Number
		runs []Number
	}{{"all examples", p.Full, nil}, {"the kept ones", p.Pruned, p.PrunedRuns}, {"as many random ones", p.Random, p.RandomRuns}} {
		var runs []string
		for _, v := range x.runs {
			runs = append(runs, fmt.Sprintf("%.4g", float64(v)))
		}
		t.Rows = append(t.Rows, []report.Cell{report.C(x.name), report.Num(float64(x.acc), 4), report.C(strings.Join(runs, "  "))})
	}
	tone := report.Warn
	if p.Conclusive && p.Difference > 0 {
		tone = report.Good
	}
	page.Section("Proof", fmt.Sprintf("The same model trained for the same %d steps, on kept and on random examples %d times, measured "+
		"on %d examples that took no part.", p.Steps,
		p.Runs, p.N)).Add(
		t, report.Note{Tone: tone, Text: strings.ToUpper(p.Says[:1]) + p.Says[1:] + "."})
}
