package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// EvaluateConfig says what a model is measured on.
type EvaluateConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Data        string       // data set, FORMAT:PATH[#SPLIT]; required
	DataOptions data.Options // GroupBy makes groups of its columns
	UseOptions               // what inputs and outputs mean
	Loss        string       // NAME:OPTION=VALUE… of task.Losses; "" or auto go by the task
	BatchSize   int          // 0 means 64
	Predictions string       // FILE.csv, FILE.jsonl or FILE.npz to write the predictions to; "" for none
	Force       bool         // replace what is there
	FeaturesOptions
}

// EvaluateReport is the quality of a model on a data set.
type EvaluateReport struct {
	Schema    string         `json:"schema"`
	Model     string         `json:"model"`
	Data      string         `json:"data"`
	Task      string         `json:"task"` // its kind
	Why       []string       `json:"why"`  // how that was understood
	Says      string         `json:"-"`    // the task in a sentence
	Order     []string       `json:"-"`    // names of Metrics, the one to compare by first
	N         int            `json:"n"`
	Accuracy  Number         `json:"accuracy"`
	Top5      Number         `json:"top5"`
	Loss      Number         `json:"loss"`
	LossName  string         `json:"loss_name"`
	Metrics   Metrics        `json:"metrics"`
	PerClass  []ClassQuality `json:"per_class"`
	Groups    []GroupQuality `json:"groups"`
	Worst     *GroupQuality  `json:"worst_group,omitempty"`
	Classes   []string       `json:"classes"`
	Confusion [][]int        `json:"confusion"`
	Seconds   float64        `json:"seconds"`
	Notes     []string       `json:"notes,omitempty"`
}

// Metrics are the metrics of a task by name.
type Metrics map[string]Number

func metricsOf(v *train.Evaluation) Metrics {
	m := Metrics{}
	for _, x := range v.Metrics {
		m[x.Name] = Number(x.Value)
	}
	return m
}

// ClassQuality is the accuracy on the examples of one class.
type ClassQuality struct {
	Class    string `json:"class"`
	N        int    `json:"n"`
	Accuracy Number `json:"accuracy"`
}

// GroupQuality is the accuracy on the examples of one group, with its 95 % Wilson interval.
type GroupQuality struct {
	Column   string `json:"column"`
	Group    string `json:"group"`
	N        int    `json:"n"`
	Loss     Number `json:"loss"`
	Accuracy Number `json:"accuracy"`
	Low      Number `json:"low"`
	High     Number `json:"high"`
}

// Evaluate measures a model on a data set.
func Evaluate(ctx context.Context, c EvaluateConfig, rep Reporter) (*EvaluateReport, error) {
	rep = orQuiet(rep)
	if c.Data == "" {
		return nil, usagef("gtk eval: --data is missing; see gtk data --list")
	}
	if err := c.FeaturesOptions.check(c); err != nil {
		return nil, err
	}
	format := ""
	if c.Predictions != "" {
		var err error
		if format, err = predictionFormat(c.Predictions); err != nil {
			return nil, err
		}
	}
	release, err := claim(reads(c.Model, c.ModelOptions, c.Data), output{flag: "--predictions", path: c.Predictions, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	if c.Reference != "" {
		return c.evaluateFeatures(ctx, l, rep)
	}
	u, err := openUse(l, c.Data, c.DataOptions, c.UseOptions)
	if err != nil {
		return nil, err
	}
	u.labelled()
	if err := knownColumns(u.ds, c.DataOptions.GroupBy); err != nil {
		return nil, err
	}
	if err := u.understand(ctx, c.UseOptions, c.Loss); err != nil {
		return nil, err
	}
	for _, n := range u.notes {
		rep.Note(n)
	}
	ec := train.EvalConfig{BatchSize: cmp.Or(c.BatchSize, 64), GroupBy: c.DataOptions.GroupBy}
	var r *EvaluateReport
	if c.Predictions == "" {
		r, err = u.evaluate(ctx, ec, rep)
	} else {
		err = WriteFile(c.Predictions, func(f io.Writer) error {
			w := newPredictions(u.task, format, f, u.ds.Len(), true)
			var failed error
			ec.Each = func(index int, d *task.Decision) {
				if failed == nil {
					failed = w.add(u.ds.ID(index), d)
				}
			}
			var err error
			if r, err = u.evaluate(ctx, ec, rep); err != nil || failed != nil {
				return errors.Join(err, failed)
			}
			return w.close()
		})
	}
	if err != nil {
		return nil, err
	}
	r.Model, r.Data, r.Notes = c.Model, c.Data, u.notes
	return r, nil
}

// knownColumns fails when one of the names is no group column of ds.
func knownColumns(ds data.Dataset, names []string) error {
	have := data.GroupColumns(ds)
	for _, n := range names {
		if slices.Contains(have, n) {
			continue
		}
		switch near := registry.Suggest(n, have); {
		case len(have) == 0:
			return usagef("--group-by %s: the data set has no group columns", n)
		case len(near) > 0:
			return usagef("--group-by %s: there is no such column; did you mean %s?", n, near[0])
		default:
			return usagef("--group-by %s: there is no such column; there are %s", n, shown.Names(have, 12))
		}
	}
	return nil
}

// evaluate runs the model over the data with progress.
func (u *use) evaluate(ctx context.Context, cfg train.EvalConfig, rep Reporter) (*EvaluateReport, error) {
	ds := u.ds
	cfg.Task, cfg.Feed, cfg.Preprocess = u.task, u.plan, u.pre
	start := time.Now()
	bar := rep.Stage("eval", ds.Len())
	defer bar.End()
	cfg.Progress = func(done, total int) {
		bar.Set(done, fmt.Sprintf("%.0f/s", float64(done)/max(time.Since(start).Seconds(), 1e-9)))
	}
	v, err := train.Evaluate(ctx, u.Model.Model, ds, cfg)
	if err != nil {
		return nil, err
	}
	r := &EvaluateReport{
		Schema: "gtk.eval/1", Task: string(u.task.Kind), Why: u.task.Why, N: v.N, LossName: u.task.Name, Metrics: metricsOf(v),
		Accuracy: Number(v.Accuracy), Top5: Number(v.Top5), Loss: Number(v.Loss), PerClass: []ClassQuality{},
		Groups: []GroupQuality{}, Classes: u.task.Classes, Confusion: v.Confusion, Seconds: time.Since(start).Seconds(),
	}
	r.Says = u.task.String()
	for _, m := range v.Metrics {
		r.Order = append(r.Order, m.Name)
	}
	for _, p := range v.PerClass {
		r.PerClass = append(r.PerClass, ClassQuality{p.Class, p.N, Number(p.Accuracy)})
	}
	for _, g := range v.Groups {
		r.Groups = append(r.Groups, GroupQuality{g.Column, g.Group, g.N, Number(g.Loss), Number(g.Accuracy), Number(g.Low),
			Number(g.High)})
		if w := &r.Groups[len(r.Groups)-1]; r.Worst == nil || w.Accuracy < r.Worst.Accuracy {
			worst := *w
			r.Worst = &worst
		}
	}
	return r, nil
}

// Mistake is the class that examples of the class are taken for most often, and how often.
func (r *EvaluateReport) Mistake(class string) string {
	y := slices.Index(r.Classes, class)
	if y < 0 || y >= len(r.Confusion) {
		return ""
	}
	best := -1
	for j, n := range r.Confusion[y] {
		if j != y && n > 0 && (best < 0 || n > r.Confusion[y][best]) {
			best = j
		}
	}
	if best < 0 {
		return ""
	}
	name := fmt.Sprint(best)
	if best < len(r.Classes) {
		name = r.Classes[best]
	}
	return fmt.Sprintf("%s (%d)", name, r.Confusion[y][best])
}
