package job

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// trainee is a model ready to be trained with its data.
type trainee struct {
	*Model
	train, val data.Dataset     // val is nil without validation data
	pre        *data.Preprocess // that of train and val as they are given here
	stored     *data.Preprocess // what goes into the model's metadata
	notes      []string
}

// openTrainee reads model and data, replaces the head when NumClasses asks for it, and checks that they fit.
func (c FinetuneConfig) openTrainee(rep Reporter) (*trainee, error) {
	l, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	t := &trainee{Model: l}
	if c.NumClasses != "" && c.Labels == "" {
		l.Labels = nil // the data says what the classes are
	}
	ds, pre, assumed, err := openData(l, c.Data, c.DataOptions)
	if err != nil {
		return nil, err
	}
	if assumed != "" {
		t.notes = append(t.notes, assumed)
	}
	t.train, t.pre = ds, pre
	classes := ds.Label(0) >= 0 && c.Loss != "mse"
	if classes {
		if err := data.Check(ds); err != nil {
			return nil, err
		}
		if err := t.fitHead(c.NumClasses, c.Seed, c.Threads, rep); err != nil {
			return nil, err
		}
	} else if c.NumClasses != "" {
		return nil, usagef("--num-classes: the data set has no classes")
	}
	if c.Val != "" {
		if t.val, err = data.Open(c.Val, readOptions(c.DataOptions, l.Labels)); err != nil {
			return nil, fmt.Errorf("--val: %w", err)
		}
	}
	if c.ValSplit > 0 {
		if t.train, t.val, err = data.Split(ds, c.ValSplit, c.Seed); err != nil {
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
	t.stored = t.pre
	t.cache(c.Augment)
	return t, nil
}

// cacheBytes bounds the memory in which decoded pictures are kept between epochs.
const cacheBytes = 1 << 30

// cache keeps resized pictures in memory, unless the augmentation needs the originals.
func (t *trainee) cache(augment string) {
	a, err := data.ParseAugment(augment)
	first, exampleErr := t.train.Example(0)
	if err != nil || exampleErr != nil || t.pre == nil || !first.Picture || a.Resized != [2]float64{} {
		return
	}
	ds, rest := data.Cache(t.train, *t.pre, cacheBytes)
	if t.val != nil {
		t.val, _ = data.Cache(t.val, *t.pre, cacheBytes)
	}
	t.train, t.pre = ds, &rest
}

// fitHead makes the model have a class for each label of the data.
func (t *trainee) fitHead(fresh string, seed uint64, threads int, rep Reporter) error {
	need := len(t.train.Classes())
	for i := range t.train.Len() {
		need = max(need, t.train.Label(i)+1)
	}
	have := outputClasses(t.Model.Model)
	if fresh != "" {
		n := need
		if fresh != "auto" {
			var err error
			if n, err = strconv.Atoi(fresh); err != nil || n < 2 {
				return usagef("--num-classes %q: want auto or a number of at least 2", fresh)
			}
			if n < need {
				return usagef("--num-classes %d: the data has %d classes", n, need)
			}
		}
		file, head, err := train.ReplaceHead(t.File(), n, seed)
		if err != nil {
			return badInput(err)
		}
		if t.Model.Model, err = loadAgain(file, threads); err != nil {
			return err
		}
		rep.Say(fmt.Sprintf("last layer %s (%s): fresh, %d classes", head.Node, head.Op, head.Classes))
	} else {
		switch {
		case have > 0 && need > have:
			return usagef("the data has %d classes, the model only %d: give --num-classes %d (or auto) to replace its last layer", need, have, need)
		case have > 0 && need < have && t.Labels == nil:
			t.notes = append(t.notes, fmt.Sprintf("the model has %d classes, the data %d; --num-classes auto would replace the last layer by one of that size", have, need))
		}
	}
	if t.Labels == nil {
		t.Labels = t.train.Classes()
	}
	return nil
}

// loadAgain prepares a file that was made from a model which was loaded.
func loadAgain(file *onnx.Model, threads int) (*engine.Model, error) {
	m, err := engine.Load(file, engine.WithThreads(threads))
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
	file, err := t.Save()
	if err != nil {
		return err
	}
	if err := setUse(file, t.Labels, t.stored); err != nil {
		return err
	}
	return file.WriteFile(path, onnx.WriteOptions{Force: force})
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
	file, err := ReadModel(path)
	if err != nil {
		return nil, fmt.Errorf("reading the written model back: %w", err)
	}
	again, err := engine.Load(file, engine.WithThreads(threads))
	if err != nil {
		return nil, fmt.Errorf("loading the written model: %w", err)
	}
	v := &ReadBack{N: min(8, t.train.Len())}
	for b, err := range data.Batches(ctx, t.train, data.Sequential(v.N), v.N, data.BatchOptions{Preprocess: t.pre}) {
		if err != nil {
			return nil, err
		}
		if v.MaxAbs, err = outputDistance(ctx, t.Model.Model, again, b.X); err != nil {
			return nil, err
		}
	}
	v.Pass = v.MaxAbs == 0
	return v, nil
}

// outputDistance is the largest absolute difference of the outputs of a and b for the input x.
func outputDistance(ctx context.Context, a, b *engine.Model, x *tensor.Tensor) (float64, error) {
	var outs [2][][]float64
	for i, m := range []*engine.Model{a, b} {
		s, err := m.Session(engine.Query{})
		if err != nil {
			return 0, err
		}
		in := m.Inputs()[0]
		fed, err := in.Adapt(x)
		if err != nil {
			return 0, err
		}
		r, err := s.Run(ctx, map[string]*tensor.Tensor{in.Name: fed})
		if err != nil {
			return 0, err
		}
		for _, o := range m.Outputs() {
			outs[i] = append(outs[i], slices.Clone(r.Value(o.Name).Float64s()))
		}
	}
	most := 0.0
	for k, u := range outs[0] {
		v := outs[1][k]
		if len(u) != len(v) {
			return math.Inf(1), nil
		}
		for j := range u {
			if d := math.Abs(u[j] - v[j]); d > most || math.IsNaN(d) {
				most = d
			}
		}
	}
	return most, nil
}
