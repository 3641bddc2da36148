package train

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// FeatureConfig says how the features of an encoder are measured.
type FeatureConfig struct {
	Task       *task.Task       // of task.ForObjective
	Feed       *feed.Plan       //
	Contrast   *Contrast        // nil: without the objective
	Neighbours int              // that vote; 0: those of Contrast, or 20
	Preprocess *data.Preprocess // nil: pictures as they are
	BatchSize  int              // of the objective
	EvalBatch  int              // of the features; 0: 64
	Seed       uint64           // of the views
}

// FeatureEvaluator measures features: by the classes of the nearest neighbours among the features of the training data, by a linear
// classifier fitted on these, and by the objective on views of the validation data, which are the same each time.
//
// Source of the neighbours: Wu, Xiong, Yu, Lin 2018, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination" (arXiv
// 1805.01978), section 3.4: cosines, each of the k nearest votes with exp(cos/0.07).
type FeatureEvaluator struct {
	c          FeatureConfig
	m          *engine.Model
	bank, val  data.Dataset // the examples with a class
	all        data.Dataset // to validate on, labelled or not
	features   *engine.Session
	objective  *engine.Session // nil without
	neighbours int
}

// NewFeatureEvaluator prepares the evaluation of m, an encoder that is trained on bank, on val. Examples without a class count for the
// objective alone.
func NewFeatureEvaluator(m *engine.Model, bank, val data.Dataset, c FeatureConfig) (*FeatureEvaluator, error) {
	e := &FeatureEvaluator{c: c, m: m, all: val, neighbours: (&Contrast{}).neighbours()}
	if e.c.EvalBatch == 0 {
		e.c.EvalBatch = 64
	}
	if c.Contrast != nil {
		e.neighbours = c.Contrast.neighbours()
	}
	if c.Neighbours > 0 {
		e.neighbours = c.Neighbours
	}
	var err error
	if e.features, err = m.Session(engine.Query{Fetch: []string{c.Task.Head.Output}}); err != nil {
		return nil, err
	}
	if c.Task.Measured() {
		e.bank, e.val = data.Labelled(bank), data.Labelled(val)
		for name, ds := range map[string]data.Dataset{"training": e.bank, "validation": e.val} {
			if ds.Len() == 0 || ds.Label(0) < 0 {
				return nil, fmt.Errorf("train: features are measured by classes, and no example of the %s data has one", name)
			}
		}
	}
	if c.Contrast == nil {
		return e, nil
	}
	if val.Len() < c.Task.Least() {
		if !c.Task.Measured() {
			return nil, fmt.Errorf("train: %s needs at least %d examples to compare, and the validation data have %d", c.Task.Name, c.Task.Least(),
				val.Len())
		}
		return e, nil
	}
	e.objective, err = m.Session(engine.Query{Loss: c.Task.Total()})
	return e, err
}

// Run measures once.
func (e *FeatureEvaluator) Run(ctx context.Context) (*Evaluation, error) {
	r := &Evaluation{N: e.all.Len(), Loss: math.NaN(), Accuracy: math.NaN(), Top5: math.NaN()}
	if e.objective != nil {
		var err error
		if r.Loss, err = e.compare(ctx); err != nil {
			return nil, err
		}
	}
	if !e.c.Task.Measured() {
		r.Metrics = []task.Measure{{Name: "contrast", Value: r.Loss, Lower: true}}
		return r, nil
	}
	bank, err := e.read(ctx, e.bank)
	if err != nil {
		return nil, err
	}
	val, err := e.read(ctx, e.val)
	if err != nil {
		return nil, err
	}
	if err := e.vote(ctx, bank, val, r); err != nil {
		return nil, err
	}
	linear, err := linearProbe(ctx, bank, val, e.m.Pool().Threads())
	if err != nil {
		return nil, err
	}
	r.Metrics = append(r.Metrics, task.Measure{Name: "linear_probe", Value: linear})
	return r, nil
}

// compare is the mean of the objective over batches of views.
func (e *FeatureEvaluator) compare(ctx context.Context) (float64, error) {
	size := min(max(e.c.BatchSize, e.c.Task.Least()), e.all.Len())
	o := data.BatchOptions{Preprocess: e.c.Preprocess, Seed: e.c.Seed, DropLast: true}
	sum, n := 0.0, 0.0
	for b, err := range data.Views(ctx, e.all, data.Shuffled(e.all.Len(), e.c.Seed), size, o, e.c.Contrast.Views) {
		if err != nil {
			return 0, err
		}
		err = e.c.Feed.Run(ctx, e.objective, b, feed.Rows{}, func(p feed.Part) error {
			sum, n = sum+p.Loss().Float64s()[0], n+1
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return sum / n, nil
}

// table is features with the classes of their examples.
type table struct {
	x      *tensor.Tensor // [N,F] float32
	labels []int
	index  []int // of the examples in their data set
}

func (t *table) width() int          { return t.x.Dim(1) }
func (t *table) row(i int) []float32 { return t.x.F32()[i*t.width() : (i+1)*t.width()] }

// classes is one more than the highest label.
func (t *table) classes() int {
	k := 0
	for _, y := range t.labels {
		k = max(k, y+1)
	}
	return k
}

// read runs the encoder over ds.
func (e *FeatureEvaluator) read(ctx context.Context, ds data.Dataset) (*table, error) {
	t := &table{}
	name := e.c.Task.Head.Output
	at := 0
	for b, err := range data.Batches(ctx, ds, data.Sequential(ds.Len()), e.c.EvalBatch, data.BatchOptions{Preprocess: e.c.Preprocess}) {
		if err != nil {
			return nil, err
		}
		var all *tensor.Tensor
		err = e.c.Feed.Run(ctx, e.features, b, feed.Rows{}, func(p feed.Part) (err error) {
			all, err = feed.Gather(all, name, p.Value(name), p, b.Len())
			return err
		})
		if err != nil {
			return nil, err
		}
		if all, err = all.Convert(tensor.Float32); err != nil {
			return nil, err
		}
		width := all.Len() / b.Len()
		if t.x == nil {
			if t.x, err = tensor.Make("the features of the data", tensor.Float32, ds.Len(), width); err != nil {
				return nil, err
			}
		}
		for i, v := range all.F32() {
			if v-v != 0 {
				return nil, fmt.Errorf("train: eval: the model gives %w as a feature of example %q", errNotFinite, b.IDs[i/width])
			}
		}
		copy(t.x.F32()[at*width:], all.F32())
		at += b.Len()
		for i, y := range b.Labels {
			t.labels, t.index = append(t.labels, int(y)), append(t.index, b.Index[i])
		}
	}
	return t, nil
}
