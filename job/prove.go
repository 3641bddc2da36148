package job

import (
	"cmp"
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/train"
)

// Proof is the accuracy after trainings on all, kept and as many random examples.
type Proof struct {
	N     int `json:"n"` // examples it is measured on
	Steps int `json:"steps"`

	Full   float64 `json:"full"`
	Pruned float64 `json:"pruned"`
	Random float64 `json:"random"`
}

// holdOut finds the data that the proof is measured on.
func (s *scoring) holdOut(spec string) error {
	if spec != "" {
		classes := s.Labels
		if classes == nil {
			classes = s.train.Classes()
		}
		ds, err := data.Open(spec, readOptions(s.c.DataOptions, classes, s.c.UseOptions))
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
	order := data.Shuffled(s.train.Len(), s.c.Seed^0x70726f6f66).Order(0)
	subsets := []struct {
		what string
		idx  []int
		acc  *float64
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
		v, err := train.Evaluate(ctx, m, s.val, train.EvalConfig{Task: s.task, Feed: cfg.Feed, Preprocess: s.pre})
		if err != nil {
			return nil, err
		}
		*x.acc = v.Accuracy
	}
	return p, nil
}

func (p *Proof) section(page *report.Report) {
	t := report.Table{Head: []string{"Trained on", "Accuracy"}}
	for _, x := range []struct {
		name string
		acc  float64
	}{{"all examples", p.Full}, {"the kept ones", p.Pruned}, {"as many random ones", p.Random}} {
		t.Rows = append(t.Rows, []report.Cell{report.C(x.name), report.Percent(x.acc)})
	}
	page.Section("Proof", fmt.Sprintf("The same model trained for the same %d steps, measured on %d examples that took no part.", p.Steps, p.N)).Add(t)
}
