package job

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// Proof compares trainings on all, kept and as many random examples by the metric of the task. The difference of kept and random is that of the share of
// right decisions of an example (in a regression of its loss, the sign turned), on the same examples, with its 95 % interval. It knows nothing of how
// trainings differ among themselves.
type Proof struct {
	N      int    `json:"n"` // examples it is measured on
	Steps  int    `json:"steps"`
	Metric string `json:"metric"`

	Full   Number `json:"full"`
	Pruned Number `json:"pruned"`
	Random Number `json:"random"`

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
		ds, err := data.Open(spec, readOptions(s.c.DataOptions, classes, s.c.UseOptions, s.pre))
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
	s.notes = append(s.notes, fmt.Sprintf("%d of the %d examples are held out for the proof and neither scored nor kept; give --val to avoid that", s.val.Len(), all.Len()))
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

// prove trains the model of the first run on all, kept and random examples for the same number of steps.
func (s *scoring) prove(ctx context.Context, kept []int, epochs int, rep Reporter) (*Proof, error) {
	p := &Proof{N: s.val.Len()}
	p.Metric, _ = s.task.Primary()
	quality := map[string][]float64{}
	order := data.Shuffled(s.train.Len(), s.c.Seed^0x70726f6f66).Order(0)
	subsets := []struct {
		what string
		idx  []int
		acc  *Number
	}{{"all", nil, &p.Full}, {"kept", kept, &p.Pruned}, {"random", order[:len(kept)], &p.Random}}
	for _, x := range subsets {
		ds := s.train
		if x.idx != nil {
			var err error
			if ds, err = data.Subset(ds, x.idx); err != nil {
				return nil, err
			}
		}
		m, err := s.fresh(0)
		if err != nil {
			return nil, err
		}
		cfg, _, err := s.c.config(m, "auto", s.c.Seed)
		if err != nil {
			return nil, err
		}
		cfg.Preprocess, cfg.Epochs, cfg.Task = s.pre, cmp.Or(epochs, 5), s.task
		if cfg.Feed, err = s.plan.With(m); err != nil {
			return nil, err
		}
		if x.idx != nil {
			cfg.MaxSteps, cfg.Epochs = p.Steps, p.Steps // more epochs than it can take
		}
		res, err := fitStage(ctx, m, ds, cfg, "proof: "+x.what, rep)
		if err != nil {
			return nil, err
		}
		p.Steps = res.Steps
		sum, n := make([]float64, s.val.Len()), make([]float64, s.val.Len())
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
			return nil, err
		}
		for i := range sum {
			sum[i] /= max(n[i], 1)
		}
		*x.acc, quality[x.what] = Number(v.Metric(p.Metric)), sum
	}
	p.judge(compare(quality["kept"], quality["random"]), s.task.Kind == task.Regression)
	return p, nil
}

// judge says what the comparison of kept and random shows.
func (p *Proof) judge(c paired, regression bool) {
	p.Difference, p.Low, p.High, p.Detectable, p.Conclusive = Number(c.diff), Number(c.low), Number(c.high), Number(c.detectable), c.conclusive
	what, show := "right decisions", func(v float64) string { return fmt.Sprintf("%+.1f", 100*v) }
	unit := " percentage points"
	if regression {
		what, unit = "squared error, the sign turned", ""
		show = func(v float64) string { return fmt.Sprintf("%+.3g", v) }
	}
	interval := fmt.Sprintf("%s, kept less random: %s (95 %% interval %s to %s)%s on %d examples", what, show(c.diff), show(c.low), show(c.high), unit, p.N)
	switch {
	case !c.conclusive:
		p.Says = fmt.Sprintf("it proves nothing: %s; differences below %s%s do not show on so few", interval, show(c.detectable)[1:], unit)
	case c.diff > 0:
		p.Says = "the choice is better than chance: " + interval
	default:
		p.Says = "the choice is WORSE than chance: " + interval
	}
}

func (p *Proof) section(page *report.Report) {
	t := report.Table{Head: []string{"Trained on", p.Metric}}
	for _, x := range []struct {
		name string
		acc  Number
	}{{"all examples", p.Full}, {"the kept ones", p.Pruned}, {"as many random ones", p.Random}} {
		t.Rows = append(t.Rows, []report.Cell{report.C(x.name), report.Num(float64(x.acc), 4)})
	}
	tone := report.Warn
	if p.Conclusive && p.Difference > 0 {
		tone = report.Good
	}
	page.Section("Proof", fmt.Sprintf("The same model trained for the same %d steps, once on each, measured on %d examples that took no part.", p.Steps, p.N)).Add(
		t, report.Note{Tone: tone, Text: strings.ToUpper(p.Says[:1]) + p.Says[1:] + "."})
}
