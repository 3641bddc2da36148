package job

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// FeaturesOptions have a model measured by its features: by the classes of the nearest neighbours in other data, and by a linear classifier
// that is fitted on these.
type FeaturesOptions struct {
	Reference  string // data set whose classes are known, FORMAT:PATH[#SPLIT]; "" for none
	Neighbours int    // that vote; 0 means 20
	Features   string // value of the model that is its features; "" finds it (train.FindFeatures)
}

// check looks at what can be checked before anything is read.
func (o FeaturesOptions) check(c EvaluateConfig) error {
	switch {
	case o.Reference == "" && (o.Neighbours != 0 || o.Features != ""):
		return usagef("--knn and --features go with --reference SPEC: data with classes, such as those that were trained on")
	case o.Reference == "":
		return nil
	case o.Neighbours < 0:
		return usagef("--knn %d: want at least one neighbour", o.Neighbours)
	case c.Predictions != "", c.Loss != "" && c.Loss != "auto", len(c.DataOptions.GroupBy) > 0, c.Task != "", c.UseOptions.Output != "":
		return usagef("--reference measures features, which have no loss and no outputs of a task: leave out --predictions, --loss, " +
			"--group-by, --task and --output")
	}
	return nil
}

// evaluateFeatures measures the features of the model on the data.
func (c EvaluateConfig) evaluateFeatures(ctx context.Context, l *Model, rep Reporter) (*EvaluateReport, error) {
	start := time.Now()
	u, err := openUse(l, c.Data, c.DataOptions, c.UseOptions)
	if err != nil {
		return nil, err
	}
	classes := l.Labels
	if classes == nil {
		classes = u.ds.Classes()
	}
	bank, err := data.Open(c.Reference, readOptions(u.named(c.DataOptions), classes, c.UseOptions.remembered(l), u.pre))
	if err != nil {
		return nil, fmt.Errorf("--reference: %w", err)
	}
	for _, n := range u.notes {
		rep.Note(n)
	}
	for name, ds := range map[string]data.Dataset{"--data": u.ds, "--reference": bank} {
		if !classed(ds) {
			return nil, usagef("%s: features are measured by classes, and no example has one", name)
		}
	}
	found, err := train.FindFeatures(l.File(), c.Features)
	if err != nil {
		return nil, featuresError(err)
	}
	threads := engine.WithThreads(c.Threads)
	shape, d, err := found.Form(ctx, u.plan, u.ds, u.pre, threads)
	if err != nil {
		return nil, badInput(err)
	}
	if err := u.mayBeFeatures(c.Features, found, u.ds, shape); err != nil {
		return nil, err
	}
	alone, features, err := found.Encoder(shape, d)
	if err != nil {
		return nil, badInput(err)
	}
	m, err := loadAgain(alone, c.Threads)
	if err != nil {
		return nil, err
	}
	plan, err := u.plan.With(m)
	if err != nil {
		return nil, badInput(err)
	}
	t := task.ForObjective(nil, "", task.Views{}, features, "", true, found.Why)
	t.Classes = classes
	e, err := train.NewFeatureEvaluator(m, bank, u.ds, train.FeatureConfig{Task: t, Feed: plan, Preprocess: u.pre, EvalBatch: c.BatchSize,
		Neighbours: cmp.Or(c.Neighbours, 20)})
	if err != nil {
		return nil, badInput(err)
	}
	v, err := e.Run(ctx)
	if err != nil {
		return nil, err
	}
	r := &EvaluateReport{Schema: "gtk.eval/1", Model: c.Model, Data: c.Data, Task: "features", Why: t.Why, N: v.Decisions,
		Metrics: metricsOf(v), Accuracy: Number(math.NaN()), Top5: Number(math.NaN()), Loss: Number(math.NaN()), PerClass: []ClassQuality{},
		Groups:  []GroupQuality{},
		Classes: classes, Confusion: v.Confusion, Seconds: time.Since(start).Seconds(), Notes: u.notes}
	r.Says = fmt.Sprintf("features: %d of %q, by the classes of %d examples of %s", encoderWidth(alone), found.Value,
		data.Labelled(bank).Len(), c.Reference)
	for _, x := range v.Metrics {
		r.Order = append(r.Order, x.Name)
	}
	for _, p := range v.PerClass {
		r.PerClass = append(r.PerClass, ClassQuality{p.Class, p.N, Number(p.Accuracy)})
	}
	return r, nil
}
