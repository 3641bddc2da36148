package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/train"
)

// EvaluateConfig says what a model is measured on.
type EvaluateConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Data        string       // data set, FORMAT:PATH[#SPLIT]; required
	DataOptions data.Options // GroupBy makes groups of its columns
	Loss        string       // name of a loss; "" or auto go by the data
	BatchSize   int          // 0 means 64
}

// EvaluateReport is the quality of a model on a data set.
type EvaluateReport struct {
	Schema    string         `json:"schema"`
	Model     string         `json:"model"`
	Data      string         `json:"data"`
	N         int            `json:"n"`
	Accuracy  Number         `json:"accuracy"`
	Top5      Number         `json:"top5"`
	Loss      Number         `json:"loss"`
	PerClass  []ClassQuality `json:"per_class"`
	Groups    []GroupQuality `json:"groups"`
	Worst     *GroupQuality  `json:"worst_group,omitempty"`
	Classes   []string       `json:"classes"`
	Confusion [][]int        `json:"confusion"`
	Seconds   float64        `json:"seconds"`
	Notes     []string       `json:"notes,omitempty"`
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
	l, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	ds, pre, assumed, err := openData(l, c.Data, c.DataOptions)
	if err != nil {
		return nil, err
	}
	if assumed != "" {
		rep.Note(assumed)
	}
	if err := knownColumns(ds, c.DataOptions.GroupBy); err != nil {
		return nil, err
	}
	r, err := evaluate(ctx, l, ds, train.EvalConfig{Loss: cmp.Or(c.Loss, "auto"), BatchSize: cmp.Or(c.BatchSize, 64), Preprocess: pre, GroupBy: c.DataOptions.GroupBy}, rep)
	if err != nil {
		return nil, err
	}
	r.Model, r.Data = c.Model, c.Data
	if assumed != "" {
		r.Notes = append(r.Notes, assumed)
	}
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
			return usagef("--group-by %s: there is no such column; there are %s", n, strings.Join(have, ", "))
		}
	}
	return nil
}

// evaluate runs l over ds with progress.
func evaluate(ctx context.Context, l *Model, ds data.Dataset, cfg train.EvalConfig, rep Reporter) (*EvaluateReport, error) {
	start := time.Now()
	bar := rep.Stage("eval", ds.Len())
	defer bar.End()
	cfg.Progress = func(done, total int) {
		bar.Set(done, fmt.Sprintf("%.0f/s", float64(done)/max(time.Since(start).Seconds(), 1e-9)))
	}
	v, err := train.Evaluate(ctx, l.Model, ds, cfg)
	if err != nil {
		return nil, err
	}
	r := &EvaluateReport{
		Schema: "gtk.eval/1", N: v.N, Accuracy: Number(v.Accuracy), Top5: Number(v.Top5), Loss: Number(v.Loss), PerClass: []ClassQuality{},
		Groups: []GroupQuality{}, Classes: ds.Classes(), Confusion: v.Confusion, Seconds: time.Since(start).Seconds(),
	}
	for _, p := range v.PerClass {
		r.PerClass = append(r.PerClass, ClassQuality{p.Class, p.N, Number(p.Accuracy)})
	}
	for _, g := range v.Groups {
		r.Groups = append(r.Groups, GroupQuality{g.Column, g.Group, g.N, Number(g.Accuracy), Number(g.Low), Number(g.High)})
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
