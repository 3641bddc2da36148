package job

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// trainee is a model ready to be trained with its data.
type trainee struct {
	*use                        // pre is that of train and val as they are given here; ds is train before it is split and cached
	train, val data.Dataset     // val is nil without validation data
	stored     *data.Preprocess // what goes into the model's metadata
	unit       *targetUnit      // of targets that are standardised for training, nil for others
	adapted    *adapted         // what has adapters in the place of its weights, nil for others
	form       string           // of LoRAForms, in which that is written
	encoder    *contrasted      // what is trained by an objective, nil for others
	boosting   *boosting        // units that are boosted, nil for none
	denoising  *denoising       // blocks that are trained each by itself, nil for none
	restores   *restoring       // a network that restores pictures, nil for others
}

// openTrainee reads model and data, replaces the head when NumClasses asks for it, and checks that they fit.
func (c FinetuneConfig) openTrainee(ctx context.Context, rep Reporter) (*trainee, error) {
	way, err := c.method()
	if err != nil {
		return nil, err
	}
	var l *Model
	if c.Model == "" {
		l, err = way.begins(c)
	} else {
		l, err = openModel(c.Model, c.ModelOptions, rep, c.trainable()...)
	}
	if err != nil {
		return nil, err
	}
	if c.Restore != nil {
		return c.openRestoring(ctx, l, rep)
	}
	if c.NumClasses != "" && c.Labels == "" {
		l.Labels = nil // the data says what the classes are
	}
	u, err := openUse(l, c.Data, c.DataOptions, c.UseOptions)
	if err != nil {
		return nil, err
	}
	if c.Contrast == nil {
		u.labelled()
	}
	t := &trainee{use: u, train: u.ds}
	if c.Val != "" {
		classes, read := l.Labels, c.UseOptions.remembered(l)
		if classes == nil {
			classes = u.ds.Classes()
		}
		if t.val, err = data.Open(c.Val, readOptions(u.named(c.DataOptions), classes, read, u.pre)); err != nil {
			return nil, fmt.Errorf("--val: %w", err)
		}
		if c.Contrast == nil {
			t.val = data.Labelled(t.val)
		}
	}
	if c.ValSplit > 0 {
		if t.train, t.val, err = data.Split(u.ds, c.ValSplit, c.Seed); err != nil {
			return nil, err
		}
	}
	if c.Standardise {
		p, err := data.Standardise(t.train)
		if err != nil {
			return nil, usagef("--standardise: %v", err)
		}
		t.pre = &p
	}
	if c.NumClasses != "" && !way.ownHead() {
		if err := t.freshHead(ctx, c, rep); err != nil {
			return nil, err
		}
	}
	if c.LoRA != nil {
		if err := t.adapt(c); err != nil {
			return nil, err
		}
	}
	if c.Contrast != nil {
		if err := t.contrast(ctx, c); err != nil {
			return nil, err
		}
		t.stored = t.pre
		t.cache(t.encoder.report.Augment, t.encoder.report.LocalAugment)
		return t, nil
	}
	if err := way.ready(ctx, t, c, rep); err != nil {
		return nil, err
	}
	loss, err := c.loss(t.classNames(t.ds))
	if err != nil {
		return nil, err
	}
	if err := t.understand(ctx, c.UseOptions, loss); err != nil {
		return nil, err
	}
	names := u.ds.Classes()
	fit := t.task.HasClasses() && !t.task.Positions() || len(names) == t.task.K && (t.task.Kind == task.Multilabel || t.task.Positions())
	if t.Labels == nil && fit {
		t.Labels, t.task.Classes = names, names
	}
	if c.StandardiseTargets {
		if err := t.standardiseTargets(); err != nil {
			return nil, err
		}
	}
	t.unscaled(c)
	if err := t.mayAugment(c.Augment); err != nil {
		return nil, err
	}
	if err := t.maySample(c.TrainOptions); err != nil {
		return nil, err
	}
	if t.stored = t.pre; t.joined() {
		t.stored = t.denoising.before.pre
	}
	t.cache(c.Augment)
	return t, nil
}

// cacheBytes bounds the memory in which decoded pictures are kept between epochs.
const cacheBytes = 1 << 30

// mayAugment refuses random changes that the labels would not survive, and mixtures of a task that they say nothing about.
func (t *trainee) mayAugment(augment string) error {
	a, err := data.ParseAugment(augment)
	if err != nil {
		return usagef("--augment: %v", err)
	}
	if err := a.Fits(t.train); err != nil {
		return usagef("--augment %s: %v; leave it out", augment, err)
	}
	if mixes, whole := a.Mixes(); mixes && t.task != nil {
		if _, err := t.task.Mixed(whole); err != nil {
			return usagef("--augment %s: %v", augment, err)
		}
	}
	return nil
}

// cache keeps resized pictures in memory, unless one of the augmentations needs the originals.
func (t *trainee) cache(augment ...string) {
	if slices.ContainsFunc(augment, func(s string) bool { a, err := data.ParseAugment(s); return err != nil || a.Whole() }) {
		return
	}
	first, err := t.train.Example(0)
	if err != nil || t.pre == nil || !first.Picture {
		return
	}
	ds, rest := data.Cache(t.train, *t.pre, cacheBytes)
	if t.val != nil {
		t.val, _ = data.Cache(t.val, *t.pre, cacheBytes)
	}
	t.train, t.pre = ds, &rest
}

// freshHead gives the model a fresh last layer with as many outputs as NumClasses says, or as the data have classes.
func (t *trainee) freshHead(ctx context.Context, c FinetuneConfig, rep Reporter) error {
	dense := false
	if seen, err := task.Seen(ctx, t.plan, t.ds, task.Options{Kind: c.Task, Output: c.UseOptions.Output, Preprocess: t.pre}); err == nil {
		dense = seen.Positions()
	}
	need, err := classesNeeded(t.ds, dense)
	if err != nil {
		return err
	}
	if need == 0 {
		return usagef("--num-classes: the data set has no classes")
	}
	n := need
	if c.NumClasses != "auto" {
		if n, err = strconv.Atoi(c.NumClasses); err != nil || n < 2 {
			return usagef("--num-classes %q: want auto or a number of at least 2", c.NumClasses)
		}
		if n < need {
			return usagef("--num-classes %d: the data has %d classes", n, need)
		}
	}
	file, head, err := train.ReplaceHead(t.File(), n, c.Seed)
	if err != nil {
		return badInput(fmt.Errorf("--num-classes: %w. A detector or a model that changes pictures has no layer of classes to replace: "+
			"gtk inspect says what the model is for", err))
	}
	m, err := loadAgain(file, c.Threads, c.trainable()...)
	if err != nil {
		return err
	}
	if t.use, err = t.with(m); err != nil {
		return badInput(err)
	}
	rep.Say(fmt.Sprintf("last layer %s (%s): fresh, %d classes", head.Node, head.Op, head.Classes))
	if head.Note != "" {
		rep.Say(head.Note)
	}
	return nil
}

// classesNeeded is one more than the highest class number of ds, or as many classes as it names, or as many labels as its examples say
// yes or no to; 0 when it has no classes. In a dense task the classes
// are those of positions.
func classesNeeded(ds data.Dataset, dense bool) (int, error) {
	need := 0
	if !dense {
		need = len(ds.Classes())
		for i := range ds.Len() {
			need = max(need, ds.Label(i)+1)
		}
		if need > 0 {
			return need, nil
		}
	}
	for i := range ds.Len() {
		e, err := ds.Example(i)
		if err != nil {
			return 0, err
		}
		switch {
		case !dense && e.Y != nil && e.Y.Len() > 1 && zeroOne(e.Y): // one for each label
			need = e.Y.Len()
		case e.Y != nil && e.Y.DType().IsInt():
			for _, v := range e.Y.Float64s() {
				if v == data.Void && e.Y.DType() == tensor.Uint8 && e.Y.Len() > 1 {
					continue
				}
				need = max(need, int(v)+1)
			}
		case e.Mask != nil:
			for _, v := range e.Mask.Bytes() {
				if v != data.Void {
					need = max(need, int(v)+1)
				}
			}
		default:
			return 0, nil
		}
	}
	return need, nil
}

// zeroOne reports whether all numbers of y are 0 or 1, or stand for none.
func zeroOne(y *tensor.Tensor) bool {
	return !slices.ContainsFunc(y.Float64s(), func(v float64) bool { return v != 0 && v != 1 && v != task.Ignored })
}

// loadAgain prepares a file that was made from a model which was loaded.
func loadAgain(file *onnx.Model, threads int, more ...engine.Option) (*engine.Model, error) {
	m, err := engine.Load(file, append(more, engine.WithThreads(threads))...)
	return m, badInput(err)
}

// outputClasses is the number of classes by the last layer of m, or by the declared shape of its output; 0 when neither tells.
func outputClasses(m *engine.Model) int {
	if h, err := train.FindHead(m.File(), ""); err == nil {
		return h.Classes
	}
	if outs := m.Outputs(); len(outs) > 0 && len(outs[0].Dims) == 2 && outs[0].Dims[1].Size > 0 {
		return outs[0].Dims[1].Size
	}
	return 0
}

// write saves the trained model with its labels and preprocessing.
func (t *trainee) write(path string, force bool) error {
	file, err := t.trained()
	if err != nil {
		return err
	}
	if t.boosting != nil {
		if err := t.boosting.finish(file); err != nil {
			return err
		}
	}
	if err := t.finish(file); err != nil {
		return err
	}
	return file.WriteFile(path, onnx.WriteOptions{Force: force})
}

// finish stores in a trained model how it is used, and brings its targets back to their unit.
func (t *trainee) finish(file *onnx.Model) error {
	if err := setUse(file, t.Labels, t.stored); err != nil {
		return err
	}
	if t.encoder != nil {
		return nil // its metadata say what it is
	}
	if t.restores != nil {
		return t.restores.finish(file)
	}
	t.task.Remember(file)
	if t.unit == nil {
		return nil
	}
	return t.unit.apply(file, t.task.Head.Output, t.output(t.task.Head.Output).DType)
}

// output is the output of that name.
func (t *trainee) output(name string) engine.IO {
	for _, o := range t.Outputs() {
		if o.Name == name {
			return o
		}
	}
	return engine.IO{}
}

// setUse stores labels and preprocessing in the metadata of a model.
func setUse(file *onnx.Model, labels []string, pre *data.Preprocess) error {
	if len(labels) > 0 {
		if err := setLabels(file, labels); err != nil {
			return err
		}
	}
	if pre != nil {
		file.SetMetadata(data.MetadataKey, pre.String())
	}
	return nil
}

// verifyWritten reads the written model back and compares its outputs on a few examples with those of the trained one.
func (t *trainee) verifyWritten(ctx context.Context, path string, threads int) (*ReadBack, error) {
	if t.joined() {
		return t.verifyJoined(ctx, path, threads)
	}
	file, err := ReadModel(path)
	if err != nil {
		return nil, fmt.Errorf("reading the written model back: %w", err)
	}
	again, err := engine.Load(file, engine.WithThreads(threads))
	if err != nil {
		return nil, fmt.Errorf("loading the written model: %w", err)
	}
	from := t.plan
	if t.encoder != nil {
		t.encoder.update(t.Model.Model)
		from = t.encoder.plan
	}
	plan, err := from.With(again)
	if err != nil {
		return nil, fmt.Errorf("the written model: %w", err)
	}
	v := &ReadBack{N: min(8, t.train.Len())}
	for b, err := range data.Batches(ctx, t.train, data.Sequential(v.N), v.N, data.BatchOptions{Preprocess: t.pre}) {
		if err != nil {
			return nil, err
		}
		was, err := outputsOf(ctx, from, b)
		if err != nil {
			return nil, err
		}
		is, err := outputsOf(ctx, plan, b)
		if err != nil {
			return nil, err
		}
		most := 0.0
		outs := from.Model().Outputs()
		for k, x := range was { // of all parts
			o := outs[k%len(outs)]
			if t.unit != nil && o.Name == t.task.Head.Output { // the file has two operators more, whose rounding is its own
				t.unit.of(x)
				most = max(most, roundingOf(o.DType)*largest(x))
			}
			if t.boosting != nil { // a file without the units that were not trained sums in another order
				most = max(most, roundingOf(o.DType)*largest(x))
			}
			if t.merges() {
				most = max(most, mergedSlack(o.DType)*largest(x))
			}
		}
		d := distance(was, is)
		v.MaxAbs, v.Pass = Number(d), d <= most
	}
	return v, nil
}

// roundingOf is what two operations in a type may change of a value, as a share of it.
func roundingOf(d tensor.DType) float64 {
	switch d {
	case tensor.Float16:
		return 4e-3
	case tensor.BFloat16:
		return 3e-2
	case tensor.Float64:
		return 1e-12
	}
	return 1e-5
}

// largest is the largest magnitude in x.
func largest(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		m = max(m, math.Abs(v))
	}
	return m
}

// outputsOf are the outputs of the model that p feeds for the examples of b, part by part.
func outputsOf(ctx context.Context, p *feed.Plan, b *data.Batch) (out [][]float64, err error) {
	s, err := p.Model().Session(engine.Query{})
	if err != nil {
		return nil, err
	}
	err = p.Run(ctx, s, b, feed.Rows{}, func(part feed.Part) error {
		for _, o := range p.Model().Outputs() {
			v := part.Value(o.Name)
			if !v.DType().IsContainer() {
				out = append(out, slices.Clone(v.Float64s()))
				continue
			}
			for _, x := range tensorsOf(v, "") {
				out = append(out, slices.Clone(x.Tensor.Float64s()))
			}
		}
		return nil
	})
	return out, err
}

// distance is the largest absolute difference of a and b; of the same NaN and infinity there is none.
func distance(a, b [][]float64) float64 {
	most := 0.0
	if len(a) != len(b) {
		return math.Inf(1)
	}
	for k, u := range a {
		v := b[k]
		if len(u) != len(v) {
			return math.Inf(1)
		}
		for j := range u {
			if u[j] == v[j] || u[j] != u[j] && v[j] != v[j] {
				continue
			}
			if d := math.Abs(u[j] - v[j]); d > most || d != d {
				most = d
			}
		}
	}
	return most
}
