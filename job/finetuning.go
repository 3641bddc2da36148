package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gtk-onnx/gtk/internal/interrupt"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/train"
)

// run trains, writes and verifies.
func (f *finetuning) run(ctx context.Context, rep Reporter) (r *FinetuneReport, err error) {
	r = &FinetuneReport{
		Schema: "gtk.finetune/1", Model: f.Path, Data: f.c.Data, Task: string(f.task.Kind), Why: f.task.Why, LossName: f.task.Name,
		Optimizer: f.optimizer(), LR: f.lr, Method: cmp.Or(f.c.Method, Backprop),
		Params: f.parameters(), Out: f.out.Model, Report: f.out.Report, Checkpoint: f.out.Periodic, History: []EpochQuality{},
		Notes: f.notes,
	}
	r.Metric, _ = f.task.Primary()
	rep.Say(f.task.String())
	rep.Say(fmt.Sprintf("%s: training %s parameters in %s on %s, %s", f.Path, units.Count(r.Params),
		units.Plural(len(f.cfg.Params), "tensor"),
		units.Plural(f.train.Len(), "example"), f.way.how(f)))
	if f.cfg.TrAct != nil {
		if r.TrAct, err = f.tractReport(); err != nil {
			return nil, err
		}
		rep.Say(fmt.Sprintf("TrAct: layer %s, n = %d inputs, N = %s rows in a batch, lambda %g", r.TrAct.Layer, r.TrAct.Inputs,
			units.Count(r.TrAct.Rows), r.TrAct.Lambda))
	}
	if f.adapted != nil {
		r.LoRA = f.adapted.report(f.c.LoRA, r.Params)
		rep.Say(r.LoRA.String())
	}
	if f.encoder != nil {
		r.Contrast = f.encoder.report
		rep.Say(r.Contrast.String())
	}
	if f.restores != nil {
		r.Restore = f.restores.report
		rep.Say(r.Restore.String())
	}
	if f.cfg.Teacher != nil {
		if r.Distill, err = f.distillReport(ctx, rep); err != nil {
			return nil, err
		}
	}
	var hold func() // from the first step on there is something to save
	defer func() {
		if hold != nil {
			hold()
		}
	}()
	res, err := f.fit(ctx, r, rep, func() {
		if hold == nil {
			hold = interrupt.Hold()
		}
	})
	if err != nil {
		return nil, err
	}
	r.Steps, r.Epochs, r.TrainLoss, r.Seconds, r.ArenaMiB, r.Resumed = res.Steps, res.Epochs, Number(res.TrainLoss), res.Seconds,
		res.ArenaMiB, res.Resumed
	if r.TrAct != nil && res.TrAct != nil && res.TrAct.Inputs > 0 {
		r.TrAct.found(res.TrAct)
		rep.Say("TrAct: " + res.TrAct.String())
	}
	if r.Batches = f.batchesReport(res); r.Batches != nil {
		rep.Say(r.Batches.String())
	}
	for _, h := range res.History {
		r.History = append(r.History, epochQuality(h))
	}
	if res.Stopped {
		r.Stopped = "patience"
		f.tell(r, rep, "stopped after %s: no progress in %s for %s", units.Plural(res.Epochs, f.way.epochs()), r.Metric,
			units.Plural(f.c.Patience, f.way.epochs()))
	}
	if res.Converged != "" {
		r.Stopped = "converged"
		f.tell(r, rep, "%s is done after %s: %s", r.Optimizer, units.Plural(res.Steps, "step"), res.Converged)
	}
	f.way.report(f, r, res)
	f.judge(r, res, rep)
	if f.start != nil && res.Resumed == res.Steps {
		rep.Say(fmt.Sprintf("nothing is left to do: the run ended at step %d", res.Steps))
		r.Kept = f.kept
	} else if f.kept {
		return nil, usagef("%s exists already; give --force to replace it", f.out.Model)
	}
	if err := f.writeAll(ctx, r, res); err != nil {
		return nil, err
	}
	if err := f.ended(r); err != nil {
		return nil, err
	}
	switch {
	case !r.Verify.Pass && r.Kept:
		return r, &NoError{r.Out + " is there already and does not give the outputs of the trained model; --force writes it anew"}
	case !r.Verify.Pass:
		return r, &NoError{"the written model does not give the outputs of the trained one"}
	}
	return r, nil
}

// tell says something worth knowing, and keeps it in the report.
func (f *finetuning) tell(r *FinetuneReport, rep Reporter, format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	r.Notes = append(r.Notes, n)
	rep.Note(n)
}

// judge notes what is odd about how the training went.
func (f *finetuning) judge(r *FinetuneReport, res *train.Result, rep Reporter) {
	// The loss of a score rises as less noise is added, and later epochs of importance show what is hard.
	rises := f.restores != nil && f.restores.report.Scores() || f.cfg.Importance != nil
	if n := len(res.History); n > 1 && !rises && res.TrainLoss > res.History[0].TrainLoss {
		f.tell(r, rep, "the loss rose, from %.4g in the first %s to %.4g in the last: a lower %s", res.History[0].TrainLoss, f.way.epochs(),
			res.TrainLoss, f.way.calmer())
	}
	if b := res.Best; b != nil && res.Before != nil {
		was := res.Before.Metric(b.Metric)
		if gain := b.Value - was; b.Lower && gain > 0 || !b.Lower && gain < 0 {
			f.tell(r, rep, "no %s is better on the validation data than the model was before: %s %.4g, the best has %.4g",
				f.way.epochs(), b.Metric, was, b.Value)
		}
	}
}

// fit runs the training, with checkpoints and metrics, and makes an error of it one that says where things are. It calls began after
// each step and before it saves.
func (f *finetuning) fit(ctx context.Context, r *FinetuneReport, rep Reporter, began func()) (*train.Result, error) {
	var undo func() // of what is written beside the models, from the first step on: a run that is refused writes nothing
	begin := func() (err error) {
		if undo == nil {
			undo, err = f.begin()
		}
		return err
	}
	log := &trainLog{dir: f.out.Report}
	cfg := f.cfg
	cfg.Resume, cfg.Anyway, cfg.SaveEvery, cfg.Traits = f.start, f.c.ResumeAnyway, f.c.CheckpointEvery, f.traits()
	if f.start != nil {
		rep.Say(fmt.Sprintf("resuming at step %d", f.start.Step))
		log.rows, f.losses = f.start.History(), readSteps(f.out.Report, f.start.Step)
	}
	log.begin(time.Now(), f.describe().Settings)
	saved, step := "", 0 // last checkpoint
	cfg.Save = func(k *train.Checkpoint) error {
		began()
		path := f.out.Periodic
		if ctx.Err() != nil {
			path = f.out.Checkpoint
		}
		if err := f.writeSteps(); err != nil || path == "" { // what a resume from k shows is there before k
			return err
		}
		if err := f.begun(); err != nil {
			return err
		}
		if err := k.Write(path); err != nil {
			return err
		}
		saved, step = path, k.Step
		return nil
	}
	cfg.Note = rep.Note
	cfg.Epoch = func(p train.EpochReport) error {
		f.way.epoch(f, p, rep)
		return log.add(p)
	}
	stage := rep.Stage("finetune", cfg.Steps(f.train.Len()))
	defer stage.End()
	cfg.Step = func(p train.Progress) error {
		began()
		stage.Step(p)
		if f.kept {
			return usagef("%s exists already; give --force to replace it", f.out.Model)
		}
		f.losses.add(p)
		return begin()
	}
	res, err := f.way.fit(ctx, f, cfg, rep)
	if err == nil {
		r.Notes = append(r.Notes, res.Notes...)
		return res, begin()
	}
	if saved == "" && undo != nil { // nothing to go on from, and nothing in the way of another try
		undo()
	}
	var refused *train.ResumeError
	var bad *train.CheckpointError
	switch {
	case errors.As(err, &bad):
		return nil, f.c.unusable(err)
	case errors.As(err, &refused):
		return nil, f.c.refusal(refused)
	case ctx.Err() != nil && saved == f.out.Checkpoint:
		return nil, &InterruptedError{Step: step, Checkpoint: saved, Err: err}
	case errors.Is(err, train.ErrDiverged):
		if undo != nil {
			err = errors.Join(err, f.diverged())
		}
		return nil, f.rescued(ctx, res, err, saved, step)
	}
	return nil, err
}

// rescued adds to the error of a training that diverged where its good states are: the last checkpoint, and the best epoch, which is
// written.
func (f *finetuning) rescued(ctx context.Context, res *train.Result, err error, checkpoint string, step int) error {
	if checkpoint != "" {
		err = fmt.Errorf("%w. The last good state is that of step %d in %s", err, step, checkpoint)
	}
	if res == nil || res.Best == nil || f.out.Best == "" {
		return err
	}
	if werr := res.Best.Restore(f.Model.Model); werr != nil {
		return errors.Join(err, werr)
	}
	if _, werr := f.settle(ctx); werr != nil {
		return errors.Join(err, werr)
	}
	if _, werr := f.written(ctx, f.out.Best, true); werr != nil {
		return errors.Join(err, werr)
	}
	return fmt.Errorf("%w. The best epoch, %d, is in %s", err, res.Best.Epoch, f.out.Best)
}

// writeAll writes the models and the report, and reads the models back.
func (f *finetuning) writeAll(ctx context.Context, r *FinetuneReport, res *train.Result) error {
	b := res.Best
	if b != nil {
		r.Best = &BestEpoch{b.Epoch, b.Step, b.Metric, Number(b.Value), Number(b.Val.Loss), f.out.Best}
	}
	if b != nil && f.c.Best {
		r.Best.Path = f.out.Model
		if err := b.Restore(f.Model.Model); err != nil {
			return err
		}
	}
	settled, err := f.settle(ctx)
	if err != nil {
		return err
	}
	// what is measured is what is written
	if res.After != nil && (settled || f.merges() || f.way.beside() || f.c.Best && b != nil && b.Step != res.Steps) {
		if res.After, err = f.measure(ctx); err != nil {
			return err
		}
	}
	r.Before, r.After = qualityOf(res.Before), qualityOf(res.After)
	if f.c.Best && b != nil {
		r.Best.Value, r.Best.Loss = Number(res.After.Metric(b.Metric)), Number(res.After.Loss)
	}
	if r.Kept {
		r.Verify, err = f.written(ctx, f.out.Model, false)
	} else {
		err = f.withReplay(func() (err error) {
			if r.Verify, err = f.written(ctx, f.out.Model, true); err != nil || r.LoRA == nil {
				return err
			}
			r.LoRA.Files, err = f.writeAdapters()
			return err
		})
	}
	if err != nil {
		return err
	}
	if err := f.writePage(r, res); err != nil {
		return err
	}
	if err := f.writeRaw(ctx, r, res); err != nil {
		return err
	}
	if f.out.Best == "" || b == nil {
		return nil
	}
	if err := b.Restore(f.Model.Model); err != nil {
		return err
	}
	if settled, err = f.settle(ctx); err != nil {
		return err
	}
	if settled || f.merges() || f.way.beside() {
		v, err := f.measure(ctx)
		if err != nil {
			return err
		}
		r.Best.Value, r.Best.Loss = Number(v.Metric(b.Metric)), Number(v.Loss)
	}
	again, err := f.written(ctx, f.out.Best, true)
	if err == nil && r.Verify.Pass && !again.Pass {
		r.Verify = again
	}
	return err
}

// writeRaw writes the weights of the last step beside their average.
func (f *finetuning) writeRaw(ctx context.Context, r *FinetuneReport, res *train.Result) error {
	if res.Raw == nil || f.out.Raw == "" {
		return nil
	}
	if err := res.Raw.Restore(f.Model.Model); err != nil {
		return err
	}
	if _, err := f.settle(ctx); err != nil {
		return err
	}
	again, err := f.written(ctx, f.out.Raw, true)
	if err == nil && r.Verify.Pass && !again.Pass {
		r.Verify = again
	}
	r.Raw = f.out.Raw
	return err
}

// measure evaluates the model as it is, and is written, on the validation data.
func (f *finetuning) measure(ctx context.Context) (*train.Evaluation, error) {
	if f.merges() {
		return f.measureMerged(ctx)
	}
	if f.encoder != nil {
		return f.measureFeatures(ctx)
	}
	if f.restores != nil {
		return f.measureRestoring(ctx)
	}
	return train.Evaluate(ctx, f.Model.Model, f.val, train.EvalConfig{Task: f.task, Feed: f.plan, Preprocess: f.pre})
}

// written writes the model as it is now, unless it stays as it lies there, and compares what is read back.
func (f *finetuning) written(ctx context.Context, path string, write bool) (*ReadBack, error) {
	if write {
		if err := f.write(path, true); err != nil { // whether it may was asked before the work
			return nil, err
		}
	}
	return f.verifyWritten(ctx, path, f.c.Threads)
}

func epochQuality(p train.EpochReport) EpochQuality {
	q := EpochQuality{
		Epoch: p.Epoch, Step: p.Step, LR: Number(p.LR), TrainLoss: Number(p.TrainLoss), TrainAccuracy: Number(p.TrainAcc),
		Val: qualityOf(p.Val), Seconds: p.Seconds,
		Measures: map[string]Number{},
	}
	for n, v := range p.Measures {
		q.Measures[n] = Number(v)
	}
	return q
}
