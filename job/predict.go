package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
)

// PredictConfig says which model predicts what.
type PredictConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Data        string       // data set, FORMAT:PATH[#SPLIT]; required. Labels are not needed
	DataOptions data.Options // of reading
	UseOptions               // what inputs and outputs mean
	BatchSize   int          // examples in one run; 0 means 32
	Out         string       // FILE.csv, FILE.jsonl or FILE.npz
	W           io.Writer    // takes the rows as csv when Out is ""
	Force       bool         // replace what is there
}

// PredictReport is what was predicted.
type PredictReport struct {
	Schema  string   `json:"schema"`
	Model   string   `json:"model"`
	Data    string   `json:"data"`
	Task    string   `json:"task"` // its kind; "" where only outputs could be written
	Why     []string `json:"why"`
	N       int      `json:"n"`
	Out     string   `json:"out"`
	Columns []string `json:"columns"`
	Seconds float64  `json:"seconds"`
	Notes   []string `json:"notes,omitempty"`

	Says string `json:"-"` // the task in a sentence
}

// Predict runs a model over a data set, in its order, and writes for each example its id, the prediction, and the probability or value of
// each class or output.
func Predict(ctx context.Context, c PredictConfig, rep Reporter) (*PredictReport, error) {
	rep = orQuiet(rep)
	start := time.Now()
	switch {
	case c.Data == "":
		return nil, usagef("gtk run: --data is missing; see gtk data --list")
	case c.Out == "" && c.W == nil:
		return nil, usagef("gtk run --data: the output is missing: give -o FILE.csv, FILE.jsonl or FILE.npz")
	}
	format := "csv"
	if c.Out != "" {
		var err error
		if format, err = predictionFormat(c.Out); err != nil {
			return nil, err
		}
	}
	release, err := claim(reads(c.Model, c.ModelOptions, c.Data), output{flag: "--out", path: c.Out, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	u, err := openUse(l, c.Data, c.DataOptions, c.UseOptions)
	if err != nil {
		return nil, err
	}
	if err := u.guess(ctx, c.UseOptions); err != nil {
		var unknown *task.UnknownError
		if !errors.As(err, &unknown) {
			return nil, err
		}
		if format != "npz" {
			return nil, badInput(fmt.Errorf("%w. -o FILE.npz writes all outputs as they are", err))
		}
	}
	r := &PredictReport{Schema: "gtk.predictions/1", Model: c.Model, Data: c.Data, Out: c.Out, N: u.ds.Len(), Notes: u.notes}
	if u.task != nil {
		r.Task, r.Why, r.Says = string(u.task.Kind), u.task.Why, u.task.String()
	}
	for _, n := range u.notes {
		rep.Note(n)
	}
	write := func(f io.Writer) error {
		if u.task == nil {
			return u.outputs(ctx, f, cmp.Or(c.BatchSize, 32), r, rep)
		}
		w := newPredictions(u.task, format, f, u.ds.Len(), false)
		r.Columns = w.columns
		if err := u.predict(ctx, cmp.Or(c.BatchSize, 32), rep, func(index int, d *task.Decision) error {
			return w.add(u.ds.ID(index), d)
		}); err != nil {
			return err
		}
		return w.close()
	}
	if c.Out == "" {
		err = write(c.W)
	} else {
		err = WriteFile(c.Out, write)
	}
	r.Seconds = time.Since(start).Seconds()
	return r, err
}

// guess decides what the outputs mean: by the labels where the data have some that fit, else by the outputs alone.
func (u *use) guess(ctx context.Context, o UseOptions) error {
	to := task.Options{Kind: o.Task, Output: o.Output, Classes: u.Labels, Preprocess: u.pre}
	t, err := task.Told(ctx, u.plan, u.ds, to)
	if err != nil {
		if unknown := (*task.UnknownError)(nil); errors.As(err, &unknown) {
			return err
		}
		return useError(err)
	}
	if len(t.Classes) > 0 && t.HasClasses() && len(t.Classes) != t.NumClasses() {
		if u.Labels != nil {
			return badInput(fmt.Errorf("there are %d labels, and output %q has %d classes", len(t.Classes), t.Head.Output, t.NumClasses()))
		}
		t.Classes = nil // of the data, which has others
	}
	u.task = t
	u.notes = append(u.notes, t.Notes...)
	return nil
}

// predict shows every decision to see, example by example.
func (u *use) predict(ctx context.Context, size int, rep Reporter, see func(index int, d *task.Decision) error) error {
	s, err := u.Session(engine.Query{Fetch: []string{u.task.Fetch()}})
	if err != nil {
		return err
	}
	return u.batches(ctx, size, rep, s, func(b *data.Batch, p feed.Part) error {
		var failed error
		err := u.task.Decisions(p.Value(u.task.Fetch()), p.Hi-p.Lo, nil, func(i int, d *task.Decision) {
			if failed == nil && !d.Finite() {
				failed = badInput(fmt.Errorf("the model gives NaN or infinity for example %q", b.IDs[p.Lo+i]))
			}
			if failed == nil {
				failed = see(b.Index[p.Lo+i], d)
			}
		})
		return errors.Join(err, failed)
	})
}

// batches runs s over the data with progress.
func (u *use) batches(ctx context.Context, size int, rep Reporter, s *engine.Session, got func(b *data.Batch, p feed.Part) error) error {
	bar := rep.Stage("run", u.ds.Len())
	defer bar.End()
	done, start := 0, time.Now()
	for b, err := range data.Batches(ctx, u.ds, data.Sequential(u.ds.Len()), size, data.BatchOptions{Preprocess: u.pre}) {
		if err != nil {
			return err
		}
		if err := u.plan.Run(ctx, s, b, feed.Rows{}, func(p feed.Part) error { return got(b, p) }); err != nil {
			return err
		}
		done += b.Len()
		bar.Set(done, fmt.Sprintf("%.0f/s", float64(done)/max(time.Since(start).Seconds(), 1e-9)))
	}
	return nil
}
