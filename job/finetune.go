package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/train"
)

// FinetuneConfig says what is trained on what.
type FinetuneConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Data        string       // data set, FORMAT:PATH[#SPLIT]; required
	DataOptions data.Options // of reading
	UseOptions               // what inputs and outputs mean
	Val         string       // data set to measure on before, after each epoch and at the end; "" for none
	ValSplit    float64      // share of Data to measure on instead, in (0,1); 0 for none
	NumClasses  string       // a fresh last layer: "auto" for as many classes as the data has, or a number; "" keeps the model's own
	Standardise bool         // features without pictures: bring each to mean 0 and deviation 1, and store that in the model
	TrainOptions
	Epochs     int    // 0 means 5
	MaxSteps   int    // stop after so many steps; 0 means none
	TrAct      *TrAct // nil for none
	Out        string // FILE.onnx, or a folder for model.onnx; required
	Force      bool   // replace what is there
	Checkpoint string // file (.npz) to write after each epoch and when interrupted; "" only when interrupted, beside Out
	Resume     string // file to continue from
	Seed       uint64 // of everything random
}

// FinetuneReport is what a training did.
type FinetuneReport struct {
	Schema    string         `json:"schema"`
	Model     string         `json:"model"`
	Data      string         `json:"data"`
	Task      string         `json:"task"` // its kind
	Why       []string       `json:"why"`  // how that was understood
	LossName  string         `json:"loss_name"`
	Metric    string         `json:"metric"` // by which models are compared
	Optimizer string         `json:"optimizer"`
	LR        float64        `json:"lr"`
	Params    int            `json:"trained_parameters"`
	Steps     int            `json:"steps"`
	Epochs    int            `json:"epochs"`
	TrainLoss Number         `json:"train_loss"`
	Before    *Quality       `json:"val_before"`
	After     *Quality       `json:"val_after"`
	History   []EpochQuality `json:"history"`
	TrAct     *TrActReport   `json:"tract,omitempty"`
	Out       string         `json:"out"`
	Verify    *ReadBack      `json:"verify"`
	Seconds   float64        `json:"seconds"`
	ArenaMiB  float64        `json:"arena_mib"`
	Notes     []string       `json:"notes,omitempty"`
}

// Quality is what was measured on the validation data.
type Quality struct {
	N        int     `json:"n"`
	Accuracy Number  `json:"accuracy"`
	Top5     Number  `json:"top5"`
	Loss     Number  `json:"loss"`
	Metrics  Metrics `json:"metrics"`
}

func qualityOf(v *train.Evaluation) *Quality {
	if v == nil {
		return nil
	}
	return &Quality{v.N, Number(v.Accuracy), Number(v.Top5), Number(v.Loss), metricsOf(v)}
}

// EpochQuality is the state after an epoch.
type EpochQuality struct {
	Epoch         int               `json:"epoch"`
	TrainLoss     Number            `json:"train_loss"`
	TrainAccuracy Number            `json:"train_accuracy"`
	Val           *Quality          `json:"val"`
	Seconds       float64           `json:"seconds"`
	Measures      map[string]Number `json:"measures,omitempty"`
}

// ReadBack compares the outputs of the model that was written, read back, with those of the trained one.
type ReadBack struct {
	Pass   bool    `json:"pass"`
	MaxAbs float64 `json:"max_abs"`
	N      int     `json:"n"`
}

// FinetunePlan is what a training would do.
type FinetunePlan struct {
	Schema    string  `json:"schema"`
	Steps     int     `json:"steps"`
	BatchSize int     `json:"batch_size"`
	Examples  int     `json:"examples"`
	Params    int     `json:"trained_parameters"`
	MsPerStep float64 `json:"ms_per_step"`
	Seconds   float64 `json:"seconds"`
	ArenaMiB  float64 `json:"arena_mib"`

	Tensors int `json:"-"` // that are trained
}

// FinetuneOutput is where a training writes.
type FinetuneOutput struct{ Model, Config, Checkpoint string }

// Output is a file with others beside it when Out names an .onnx file, else a folder.
func (c FinetuneConfig) Output() FinetuneOutput {
	if stem, ok := strings.CutSuffix(c.Out, ".onnx"); ok {
		return FinetuneOutput{c.Out, stem + ".run.yaml", stem + ".checkpoint.npz"}
	}
	return FinetuneOutput{filepath.Join(c.Out, "model.onnx"), filepath.Join(c.Out, "run.yaml"), filepath.Join(c.Out, "checkpoint.npz")}
}

// check looks at what can be checked before anything is read.
func (c FinetuneConfig) check() error {
	switch {
	case c.Data == "":
		return usagef("gtk finetune: --data is missing; see gtk data --list")
	case c.Epochs < 0:
		return usagef("--epochs %d: want at least 1", c.Epochs)
	case c.MaxSteps < 0:
		return usagef("--max-steps %d: must not be negative", c.MaxSteps)
	case c.Val != "" && c.ValSplit != 0:
		return usagef("--val and --val-split exclude each other")
	case c.ValSplit != 0 && !(c.ValSplit > 0 && c.ValSplit < 1):
		return usagef("--val-split %v: want a number between 0 and 1", c.ValSplit)
	case c.TrAct != nil && !(c.TrAct.Lambda >= 0):
		return usagef("--tract-lambda %v: want a positive number", c.TrAct.Lambda)
	}
	return nil
}

// finetuning is a training that is about to begin.
type finetuning struct {
	*trainee
	c   FinetuneConfig
	cfg train.Config
	lr  float64
}

// prepare opens model and data.
func (c FinetuneConfig) prepare(ctx context.Context, rep Reporter) (*finetuning, error) {
	t, err := c.openTrainee(ctx, rep)
	if err != nil {
		return nil, err
	}
	f := &finetuning{trainee: t, c: c}
	if f.cfg, f.lr, err = c.config(t.Model.Model, "frozen", c.Seed); err != nil {
		return nil, err
	}
	f.cfg.Epochs, f.cfg.MaxSteps, f.cfg.Val, f.cfg.Preprocess = cmp.Or(c.Epochs, 5), c.MaxSteps, t.val, t.pre
	f.cfg.Task, f.cfg.Feed = t.task, t.plan
	if c.TrAct != nil {
		f.cfg.TrAct = &train.TrAct{Lambda: float32(c.TrAct.lambda()), Layer: c.TrAct.Layer}
	}
	if train.FreshBatchNorm(t.Model.Model) && f.cfg.BN == engine.BNFrozen {
		t.notes = append(t.notes, "the statistics of batch normalisation were never trained; --bn train usually learns much better")
	}
	for _, n := range t.notes {
		rep.Note(n)
	}
	return f, nil
}

// Finetune trains a model on a data set, writes it with labels and preprocessing in its metadata, reads it back and compares; where the outputs
// differ, the report comes with a NoError. When ctx is cancelled a checkpoint is written, which the InterruptedError names.
func Finetune(ctx context.Context, c FinetuneConfig, rep Reporter) (*FinetuneReport, error) {
	rep = orQuiet(rep)
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Out == "" {
		return nil, usagef("gtk finetune: the output is missing: give -o OUT.onnx, or -o FOLDER")
	}
	if err := MayWrite(c.Output().Model, c.Force); err != nil {
		return nil, err
	}
	f, err := c.prepare(ctx, rep)
	if err != nil {
		return nil, err
	}
	return f.run(ctx, rep)
}

// PlanFinetune says what Finetune would do, from a few steps on a copy of the model in memory; Out may be "".
func PlanFinetune(ctx context.Context, c FinetuneConfig, rep Reporter) (*FinetunePlan, error) {
	rep = orQuiet(rep)
	if err := c.check(); err != nil {
		return nil, err
	}
	f, err := c.prepare(ctx, rep)
	if err != nil {
		return nil, err
	}
	return f.tryOut(ctx)
}

// run trains, writes and verifies.
func (f *finetuning) run(ctx context.Context, rep Reporter) (r *FinetuneReport, err error) {
	out := f.c.Output()
	if err := os.MkdirAll(filepath.Dir(out.Model), 0o777); err != nil {
		return nil, err
	}
	r = &FinetuneReport{
		Schema: "gtk.finetune/1", Model: f.Path, Data: f.c.Data, Task: string(f.task.Kind), Why: f.task.Why, LossName: f.task.Name, Optimizer: cmp.Or(f.c.Optimizer, "adam"), LR: f.lr, Params: f.parameters(), Out: out.Model,
		History: []EpochQuality{}, Notes: f.notes,
	}
	r.Metric, _ = f.task.Primary()
	rep.Say(f.task.String())
	rep.Say(fmt.Sprintf("%s: training %s parameters in %d tensors on %d examples, %s lr %g", f.Path, units.Count(r.Params), len(f.cfg.Params), f.train.Len(), r.Optimizer, f.lr))
	if f.cfg.TrAct != nil {
		if r.TrAct, err = f.tractReport(); err != nil {
			return nil, err
		}
		rep.Say(fmt.Sprintf("TrAct: layer %s, n = %d inputs, N = %s rows in a batch, lambda %g", r.TrAct.Layer, r.TrAct.Inputs, units.Count(r.TrAct.Rows), r.TrAct.Lambda))
	}
	if f.c.Resume != "" {
		k, err := train.ReadCheckpoint(f.c.Resume)
		if err != nil {
			return nil, fmt.Errorf("--resume: %w", err)
		}
		f.cfg.Resume = k
		rep.Say(fmt.Sprintf("resumed at step %d", k.Step))
	}
	saved := "" // checkpoint of an interrupted training
	f.cfg.Save = func(k *train.Checkpoint) error {
		path := f.c.Checkpoint
		if ctx.Err() != nil {
			path = cmp.Or(path, out.Checkpoint)
			saved = path
		}
		if path == "" {
			return nil
		}
		return k.Write(path)
	}
	res, err := f.fit(ctx, r, rep)
	if err != nil && saved != "" {
		err = &InterruptedError{Step: res.Steps, Checkpoint: saved, Err: err}
	}
	if err != nil {
		return nil, err
	}
	r.Steps, r.Epochs, r.TrainLoss, r.Seconds, r.ArenaMiB = res.Steps, res.Epochs, Number(res.TrainLoss), res.Seconds, res.ArenaMiB
	if settled, err := f.Settle(); err != nil {
		return nil, err
	} else if settled && res.After != nil { // what is measured is what is written
		ec := train.EvalConfig{Task: f.task, Feed: f.plan, Preprocess: f.pre}
		if res.After, err = train.Evaluate(ctx, f.Model.Model, f.val, ec); err != nil {
			return nil, err
		}
	}
	r.Before, r.After = qualityOf(res.Before), qualityOf(res.After)
	r.Notes = append(r.Notes, res.Notes...)
	if err := f.write(out.Model, f.c.Force); err != nil {
		return nil, err
	}
	if r.Verify, err = f.verifyWritten(ctx, out.Model, f.c.Threads); err != nil {
		return nil, err
	}
	if !r.Verify.Pass {
		return r, &NoError{"the written model does not give the outputs of the trained one"}
	}
	return r, nil
}

// parameters is how many numbers are trained.
func (f *finetuning) parameters() int {
	n := 0
	for _, name := range f.cfg.Params {
		if p, err := f.Param(name); err == nil {
			n += p.Value.Len()
		}
	}
	return n
}

// fit runs the training and notes the epochs in r.
func (f *finetuning) fit(ctx context.Context, r *FinetuneReport, rep Reporter) (*train.Result, error) {
	cfg := f.cfg
	cfg.Epoch = func(p train.EpochReport) error {
		j := EpochQuality{Epoch: p.Epoch, TrainLoss: Number(p.TrainLoss), TrainAccuracy: Number(p.TrainAcc), Val: qualityOf(p.Val), Seconds: p.Seconds, Measures: map[string]Number{}}
		for n, v := range p.Measures {
			j.Measures[n] = Number(v)
		}
		r.History = append(r.History, j)
		rep.Epoch(p)
		return nil
	}
	return fitStage(ctx, f.Model.Model, f.train, cfg, "finetune", rep)
}

// tryOut tries a few steps.
func (f *finetuning) tryOut(ctx context.Context) (*FinetunePlan, error) {
	p := &FinetunePlan{
		Schema: "gtk.plan/1", Steps: f.cfg.Steps(f.train.Len()), BatchSize: f.cfg.Batch(f.train.Len()), Examples: f.train.Len(), Params: f.parameters(),
		Tensors: len(f.cfg.Params),
	}
	best, last := time.Duration(math.MaxInt64), time.Now()
	try := f.cfg
	try.Val, try.MaxSteps, try.Epochs = nil, 3, 3
	try.Step = func(train.Progress) error {
		best, last = min(best, time.Since(last)), time.Now()
		return nil
	}
	res, err := train.Fit(ctx, f.Model.Model, f.train, try)
	if err != nil && !errors.Is(err, train.ErrDiverged) {
		return nil, err
	}
	p.MsPerStep, p.Seconds, p.ArenaMiB = units.Ms(best), best.Seconds()*float64(p.Steps), res.ArenaMiB
	return p, nil
}
