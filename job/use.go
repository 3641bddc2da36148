package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// UseOptions say what the inputs and outputs of a model mean where names and shapes leave it open. The zero value leaves all of it to
// packages feed and task.
type UseOptions struct {
	Task   string            // one of task.KindNames; "" by the outputs and the labels
	Output string            // name of the output that is meant; "" the one that fits
	Inputs map[string]string // by input: the array of an npz, or the columns COL,COL of a csv that it gets, where names differ
	Set    map[string]string // constants by input: a number, or a tensor file
}

// remembered completes o by what the model was trained for, where it says so.
func (o UseOptions) remembered(l *Model) UseOptions {
	t := task.Options{Kind: o.Task, Output: o.Output}.Remembered(l.File())
	o.Task, o.Output = t.Kind, t.Output
	return o
}

// feeding are the options of feed for examples like e.
func (o UseOptions) feeding(e data.Example) (feed.Options, error) {
	f := feed.Options{Set: map[string]*tensor.Tensor{}, From: map[string]string{}}
	for name, v := range o.Set {
		t, err := constant(name, v)
		if err != nil {
			return f, fmt.Errorf("--set %s=%s: %w", name, v, err)
		}
		f.Set[name] = t
	}
	for name, v := range o.Inputs {
		if e.Fields[name] == nil { // a csv has made the columns an array of that name
			f.From[name] = v
		}
	}
	return f, nil
}

// constant reads a number, true or false, or the tensor of a file.
func constant(input, s string) (*tensor.Tensor, error) {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return tensor.Scalar(v), nil
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		return tensor.Scalar(v), nil
	}
	if v, err := strconv.ParseBool(s); err == nil {
		return tensor.Scalar(v), nil
	}
	if !isTensorFile(s) {
		if _, err := os.Stat(s); err != nil {
			return nil, usagef("want a number or a tensor file (.npy, .npz, .pb)")
		}
	}
	return readTensors(s, input)
}

// columns are the columns of a csv by input.
func (o UseOptions) columns() map[string][]string {
	if len(o.Inputs) == 0 {
		return nil
	}
	m := map[string][]string{}
	for name, v := range o.Inputs {
		m[name] = strings.Split(v, ",")
	}
	return m
}

// use is a model with the data that it is used on: how examples are prepared, what its inputs get, and what its outputs mean.
type use struct {
	*Model
	ds    data.Dataset
	pre   *data.Preprocess // nil when examples are fed as they are
	plan  *feed.Plan
	task  *task.Task
	fewer string   // what to do when the model has fewer classes than the data, where --num-classes is not the answer
	notes []string // what is worth knowing
}

// openUse opens the data set spec for the model l and binds its examples to the model's inputs. Class names of the data are looked up
// among the model's labels when it has some. The preprocessing is that of the model and the options, else the one that the data set
// suggests, completed by the input's shape.
func openUse(l *Model, spec string, do data.Options, o UseOptions) (*use, error) {
	u := &use{Model: l}
	if _, err := task.ParseKind(o.Task); err != nil {
		return nil, usagef("--task: %v", err)
	}
	var err error
	if u.ds, err = openFor(l, spec, do, o); err != nil {
		return nil, err
	}
	if u.ds.Len() == 0 {
		return nil, badInput(fmt.Errorf("data set %s is empty", spec))
	}
	first, err := u.ds.Example(0)
	if err != nil {
		return nil, err
	}
	f, err := o.feeding(first)
	if err != nil {
		return nil, err
	}
	if u.plan, err = feed.New(l.Model, first, f); err != nil {
		return nil, useError(err)
	}
	u.notes = append(append(u.notes, data.Notes(u.ds)...), u.plan.Notes()...)
	if u.pre = l.Pre; !first.Picture {
		return u, nil
	}
	known := l.Pre
	if known == nil {
		if s := data.Suggested(u.ds); s.Scale != 0 {
			known = &s
		}
	}
	pre, assumed, err := completePreprocess(known, u.plan.Main())
	if err != nil {
		return nil, err
	}
	pre.Alpha = cmp.Or(pre.Alpha, data.Suggested(u.ds).Alpha) // so that it travels with the model
	if u.pre = &pre; assumed != "" {
		u.notes = append(u.notes, assumed)
	}
	return u, nil
}

// labelled leaves examples without a class out where others have one.
func (u *use) labelled() {
	some := data.Labelled(u.ds)
	if some.Len() != u.ds.Len() {
		u.notes = append(u.notes, fmt.Sprintf("%d of %d examples have no class and are left out", u.ds.Len()-some.Len(), u.ds.Len()))
	}
	u.ds = some
}

// understand decides what the outputs mean for the data; loss is its specification, "" or auto by the task.
func (u *use) understand(ctx context.Context, o UseOptions, loss string) error {
	t, err := task.Of(ctx, u.plan, u.ds, task.Options{Kind: o.Task, Output: o.Output, Loss: loss, Classes: u.Labels, Preprocess: u.pre})
	var few *task.ClassesError
	if errors.As(err, &few) && u.fewer != "" {
		return usagef("the data has %d classes, the model only %d: %s", few.Need, few.Have, u.fewer)
	}
	var unknown *task.UnknownError
	if notes := data.Notes(u.ds); errors.As(err, &unknown) && len(notes) > 0 {
		unknown.Help += " Of the data: " + strings.Join(notes, "; ")
	}
	if _, encoder := u.File().Metadata(train.FeaturesKey); encoder && unknown != nil {
		unknown.Help += ". The model is an encoder: gtk finetune --num-classes auto puts a layer for the classes behind its features, and " +
			"gtk eval --reference measures them by the classes of other data"
	}
	if err != nil {
		return useError(err)
	}
	u.task = t
	u.notes = append(u.notes, t.Notes...)
	if t.HasClasses() && t.NumClasses() > 0 && !slices.Contains([]int{0, t.NumClasses()}, len(u.ds.Classes())) && u.Labels == nil &&
		!t.Positions() {
		u.notes = append(u.notes, fmt.Sprintf("the model has %d classes, the data %d; --num-classes auto would replace the last layer "+
			"by one of that size",
			t.NumClasses(), len(u.ds.Classes())))
	}
	return nil
}

// useError marks an error of feed or task by whose mistake it is: names that do not exist are the caller's, what does not fit together is
// the input's.
func useError(err error) error {
	var unknown *task.UnknownError
	var unbound *feed.UnboundError
	var classes *task.ClassesError
	switch {
	case errors.As(err, &classes):
		return usagef("%v", err)
	case err == nil:
		return nil
	case errors.As(err, &unknown), errors.As(err, &unbound):
		return badInput(err)
	case strings.Contains(err.Error(), "the model has no output \""):
		return usagef("--output: %s", strings.TrimPrefix(err.Error(), "engine: "))
	case strings.HasPrefix(err.Error(), "--"), strings.HasPrefix(err.Error(), "loss "), strings.HasPrefix(err.Error(), "unknown "):
		return usagef("%v", err)
	}
	return err
}

// with is u for another model with the same inputs, such as one with a fresh head; its task is not known yet.
func (u *use) with(m *engine.Model) (*use, error) {
	v := *u
	l := *u.Model
	l.Model, v.task = m, nil
	v.Model = &l
	var err error
	v.plan, err = u.plan.With(m)
	return &v, err
}
