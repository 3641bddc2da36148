package job

import (
	"cmp"
	"context"
	"errors"
	"math"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
)

// FinetuneConfig says what is trained on what.
type FinetuneConfig struct {
	Model string // file, or builtin:NAME; required, but for a Method that makes one of the data
	ModelOptions
	Data        string       // data set, FORMAT:PATH[#SPLIT]; required
	DataOptions data.Options // of reading
	UseOptions               // what inputs and outputs mean
	Val         string       // data set to measure on before, after each epoch and at the end; "" for none
	ValSplit    float64      // share of Data to measure on instead, in (0,1); 0 for none
	NumClasses  string       // a fresh last layer: "auto" for as many classes as the data has, or a number; "" keeps the model's own
	Standardise bool         // features without pictures: bring each to mean 0 and deviation 1, and store that in the model
	// StandardiseTargets brings the targets of a regression to mean 0 and deviation 1 for training; the model that is written gives
	// values in their own unit.
	StandardiseTargets bool
	Method             string  // one of Methods; "" means Backprop
	GBNN               *GBNN   // with GBNNMethod; nil means the usual
	NoProp             *NoProp // with NoPropMethod; nil means the usual
	TrainOptions
	Epochs   int          // 0 means 5
	MaxSteps int          // stop after so many steps; 0 means none
	Patience int          // stop after so many epochs without progress on the validation data; 0 means never
	MinDelta float64      // how much better the first metric must be to be progress
	TrAct    *TrAct       // nil for none
	Growth   *BatchGrowth // nil for batches that stay as they are
	LoRA     *LoRA        // adapters in the place of weights; nil for none
	Distill  *Distill     // a teacher to learn from; nil for none
	Contrast *Contrast    // an objective in the place of labels; nil for none
	Restore  *Restoration // an objective for noisy pictures in the place of labels; nil for none

	// UnfreezeEvery trains the last UnfreezeLayers layers (0 means 1) at first, and so many more before them after so many epochs; 0 trains
	// all from the start. BNEstimate takes the statistics of batch normalisation anew, over the training data, when training is done.
	UnfreezeEvery, UnfreezeLayers int
	BNEstimate                    bool

	Out    string // FILE.onnx, or a folder for model.onnx, run.yaml, checkpoint, metrics and report; required
	Best   bool   // Out is the best epoch, not the last one, which is not written then
	Report string // folder for metrics, report page and the ids of a validation split; "" means Out where that is a folder
	Replay []byte // content of the run.yaml that is written when training begins; nil for none
	Force  bool   // replace what is there

	// Checkpoint is the file (.npz) to write after each epoch and when interrupted. "" means one in Out where that is a folder, else only
	// when interrupted, beside Out; none means only when interrupted.
	Checkpoint      string
	CheckpointEvery int    // write it after so many steps too; 0 means only after epochs
	Resume          string // file to continue from, or the folder of a run
	ResumeAnyway    bool   // continue from the checkpoint of a run that differs
	Seed            uint64 // of everything random
}

// FinetuneReport is what a training did.
type FinetuneReport struct {
	Schema     string          `json:"schema"`
	Model      string          `json:"model"`
	Data       string          `json:"data"`
	Task       string          `json:"task"` // its kind
	Why        []string        `json:"why"`  // how that was understood
	LossName   string          `json:"loss_name"`
	Metric     string          `json:"metric"` // by which models are compared
	Optimizer  string          `json:"optimizer"`
	LR         float64         `json:"lr"`
	Params     int             `json:"trained_parameters"`
	Steps      int             `json:"steps"`
	Epochs     int             `json:"epochs"`
	TrainLoss  Number          `json:"train_loss"`
	Before     *Quality        `json:"val_before"`
	After      *Quality        `json:"val_after"`
	History    []EpochQuality  `json:"history"`
	Best       *BestEpoch      `json:"best"`              // null without validation data
	Stopped    string          `json:"stopped,omitempty"` // patience, when training ended for want of progress; converged: see Notes
	Resumed    int             `json:"resumed,omitempty"` // steps that a run before had done
	TrAct      *TrActReport    `json:"tract,omitempty"`
	Batches    *BatchesReport  `json:"batches,omitempty"` // how they grew
	LoRA       *LoRAReport     `json:"lora,omitempty"`
	Distill    *DistillReport  `json:"distill,omitempty"`
	Contrast   *ContrastReport `json:"contrast,omitempty"`
	Restore    *RestoreReport  `json:"restore,omitempty"`
	Method     string          `json:"method"`
	GBNN       *GBNNReport     `json:"gbnn,omitempty"`
	NoProp     *NoPropReport   `json:"noprop,omitempty"`
	Out        string          `json:"out"`
	Raw        string          `json:"out_unaveraged,omitempty"` // with --ema: the weights of the last step, without the average
	Kept       bool            `json:"kept,omitempty"`           // nothing was left to do, and Out was there already
	Checkpoint string          `json:"checkpoint,omitempty"`
	Report     string          `json:"report,omitempty"`
	Verify     *ReadBack       `json:"verify"`
	Seconds    float64         `json:"seconds"`
	ArenaMiB   float64         `json:"arena_mib"`
	Notes      []string        `json:"notes,omitempty"`
}

// BestEpoch is the best epoch by the first metric of the task on the validation data.
type BestEpoch struct {
	Epoch  int    `json:"epoch"`
	Step   int    `json:"step"`
	Metric string `json:"metric"`
	Value  Number `json:"value"`
	Loss   Number `json:"loss"`
	Path   string `json:"path"` // its model
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
	Step          int               `json:"step"`
	LR            Number            `json:"lr"`
	TrainLoss     Number            `json:"train_loss"`
	TrainAccuracy Number            `json:"train_accuracy"`
	Val           *Quality          `json:"val"`
	Seconds       float64           `json:"seconds"`
	Measures      map[string]Number `json:"measures,omitempty"`
}

// ReadBack compares the outputs of the model that was written, read back, with those of the trained one.
type ReadBack struct {
	Pass   bool   `json:"pass"`
	MaxAbs Number `json:"max_abs"`
	N      int    `json:"n"`
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

	LoRA *LoRAReport `json:"lora,omitempty"`

	Tensors int `json:"-"` // that are trained
}

// check looks at what can be checked before anything is read.
func (c FinetuneConfig) check() error {
	switch {
	case c.Data == "":
		return usagef("gtk finetune: --data is missing; see gtk data --list")
	case c.Epochs < 0:
		return usagef("--epochs %d: want at least 1", c.Epochs)
	case c.Patience < 0:
		return usagef("--patience %d: want a number of epochs", c.Patience)
	case c.Patience > 0 && !c.validates():
		return usagef("--patience stops by the validation data: give --val or --val-split")
	case c.Best && !c.validates():
		return usagef("--best is by the validation data: give --val or --val-split")
	case c.UnfreezeEvery < 0 || c.UnfreezeLayers < 0:
		return usagef("--unfreeze-every %d --unfreeze-layers %d: must not be negative", c.UnfreezeEvery, c.UnfreezeLayers)
	case c.UnfreezeEvery > 0 && c.LastLayer:
		return usagef("--last-layer trains no other: leave it out with --unfreeze-every, which begins with the last layer")
	case !(c.MinDelta >= 0) || math.IsInf(c.MinDelta, 0):
		return usagef("--min-delta %v: want a number of at least 0", c.MinDelta)
	case c.MinDelta > 0 && c.Patience == 0:
		return usagef("--min-delta says what is progress to --patience: give --patience EPOCHS too")
	case c.CheckpointEvery > 0 && c.Checkpoint == "none":
		return usagef("--checkpoint-every %d and --checkpoint none contradict each other: leave one out", c.CheckpointEvery)
	case c.CheckpointEvery < 0:
		return usagef("--checkpoint-every %d: want a number of steps", c.CheckpointEvery)
	case c.ResumeAnyway && c.Resume == "":
		return usagef("--resume-anyway goes with --resume")
	case c.MaxSteps < 0:
		return usagef("--max-steps %d: must not be negative", c.MaxSteps)
	case c.Val != "" && c.ValSplit != 0:
		return usagef("--val and --val-split exclude each other")
	case c.ValSplit != 0 && !(c.ValSplit > 0 && c.ValSplit < 1):
		return usagef("--val-split %v: want a number between 0 and 1", c.ValSplit)
	case c.TrAct != nil && !(c.TrAct.Lambda >= 0):
		return usagef("--tract-lambda %v: want a positive number", c.TrAct.Lambda)
	}
	if c.Sampler == "importance" && (c.Distill != nil || c.Growth != nil || cmp.Or(c.Method, Backprop) != Backprop) {
		return usagef("--sampler importance goes by the gradients of single examples from the labels: leave out --distill, --batch-adapt and " +
			"--method")
	}
	if err := c.movesAll(); err != nil {
		return err
	}
	if _, err := c.method(); err != nil {
		return err
	}
	if c.LoRA != nil {
		if err := c.LoRA.check(c); err != nil {
			return err
		}
	}
	if c.Contrast != nil {
		if err := c.Contrast.check(c); err != nil {
			return err
		}
	}
	if c.Restore != nil {
		if err := c.Restore.check(c); err != nil {
			return err
		}
	}
	if c.Distill != nil {
		return c.Distill.check()
	}
	return nil
}

// validates reports whether there are validation data.
func (c FinetuneConfig) validates() bool { return c.Val != "" || c.ValSplit != 0 }

// finetuning is a training that is about to begin.
type finetuning struct {
	*trainee
	c     FinetuneConfig
	way   method
	out   FinetuneOutput
	cfg   train.Config
	lr    float64
	start *train.Checkpoint // to continue from, nil for none
	kept  bool              // the model is there already, and is left when nothing is left to do

	losses stepLosses
}

// prepare opens model and data.
func (c FinetuneConfig) prepare(ctx context.Context, rep Reporter) (*finetuning, error) {
	t, err := c.openTrainee(ctx, rep)
	if err != nil {
		return nil, err
	}
	f := &finetuning{trainee: t, c: c, out: c.Output()}
	if f.way, err = c.method(); err != nil {
		return nil, err
	}
	o := c.TrainOptions
	if t.adapted != nil {
		o.Freeze = nil // it says which layers have no adapter
	}
	bn := "frozen"
	if t.encoder != nil {
		bn, o.Augment = "train", "" // views have their own
	}
	if f.cfg, f.lr, err = o.config(t.Model.Model, bn, c.Seed); err != nil {
		return nil, err
	}
	if t.encoder != nil {
		f.cfg.Contrast = &train.Contrast{Views: t.encoder.views, Neighbours: c.Contrast.nearest()}
		if n, least := f.cfg.Batch(t.train.Len()), t.task.Least(); n < least {
			return nil, usagef("--batch-size %d: %s compares each example with others of its batch, at least %d in all: give a larger one, more "+
				"data, or less to compare with (groco:topk=N)", n, c.Contrast.Objective, least)
		}
	}
	if t.adapted != nil {
		f.cfg.Params = t.adapted.params()
	}
	if t.restores != nil {
		f.cfg.Params, f.cfg.Restore = t.restores.params, t.restores.train
	}
	f.cfg.Epochs, f.cfg.MaxSteps, f.cfg.Val, f.cfg.Preprocess = cmp.Or(c.Epochs, 5), c.MaxSteps, t.val, t.pre
	f.cfg.Task, f.cfg.Feed, f.cfg.Patience, f.cfg.MinDelta = t.task, t.plan, c.Patience, c.MinDelta
	if f.cfg.Growth = c.Growth.config(); f.cfg.Growth != nil {
		if err := f.cfg.CheckBatches(f.train.Len()); err != nil {
			return nil, usagef("%v", err)
		}
		if n, most := f.cfg.Batch(f.train.Len()), f.cfg.Growth.With(f.train.Len()).Max; n >= most {
			return nil, usagef("--batch-adapt: the first batch has %d examples already, and none may have more: give a smaller --batch-size", n)
		}
	}
	if err := f.way.set(f); err != nil {
		return nil, err
	}
	if err := f.mayFollow(); err != nil {
		return nil, err
	}
	if c.TrAct != nil {
		f.cfg.TrAct = &train.TrAct{Lambda: c.TrAct.lambda(), Layer: c.TrAct.Layer}
	}
	if err := c.mayEstimate(t); err != nil {
		return nil, err
	}
	if err := c.mayWeigh(t.task); err != nil {
		return nil, err
	}
	if c.UnfreezeEvery > 0 {
		f.cfg.Unfreeze = &train.Unfreeze{Every: c.UnfreezeEvery, Layers: c.UnfreezeLayers}
	}
	if c.Distill != nil {
		if f.cfg.Teacher, err = t.openTeacher(ctx, c, rep); err != nil {
			return nil, err
		}
	}
	if train.FreshBatchNorm(t.Model.Model) && f.cfg.BN == engine.BNFrozen {
		t.notes = append(t.notes, "the statistics of batch normalisation were never trained; --bn train usually learns much better")
	}
	t.notes = append(t.notes, f.idle()...)
	for _, n := range t.notes {
		rep.Note(n)
	}
	return f, nil
}

// mayFollow refuses a schedule that needs what the training has not.
func (f *finetuning) mayFollow() error {
	t := optim.Timing{Total: f.cfg.Steps(f.train.Len()), Step: 1, Epoch: 1, Sample: 1, Validates: f.cfg.Val != nil}
	if _, err := optim.Begin(f.cfg.Schedule, t); err != nil {
		return usagef("--schedule: %v", err)
	}
	return nil
}

// Finetune trains a model on a data set, writes it with labels and preprocessing in its metadata, reads it back and compares; where the
// outputs differ, the report comes with a NoError. When ctx is cancelled a checkpoint is written, which the InterruptedError names. A
// training that diverges is an error that names the step, and no model is written of it.
func Finetune(ctx context.Context, c FinetuneConfig, rep Reporter) (*FinetuneReport, error) {
	rep = orQuiet(rep)
	if err := c.check(); err != nil {
		return nil, err
	}
	start, err := c.continued()
	if err != nil {
		return nil, err
	}
	if c.Out == "" {
		return nil, usagef("gtk finetune: the output is missing: give -o OUT.onnx, or -o FOLDER")
	}
	kept, release, err := c.mayBegin()
	if err != nil {
		return nil, err
	}
	defer release()
	f, err := c.prepare(ctx, rep)
	if err != nil {
		return nil, err
	}
	if f.restores != nil {
		defer f.restores.release(f.val)
	}
	f.start, f.kept = start, kept
	if err := f.mayWriteData(); err != nil {
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
	if f.restores != nil {
		defer f.restores.release(f.val)
	}
	p, err := f.tryOut(ctx)
	if err == nil && f.adapted != nil {
		p.LoRA = f.adapted.report(c.LoRA, p.Params)
		rep.Say(p.LoRA.String())
	}
	return p, err
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

// tryOut tries a few steps.
func (f *finetuning) tryOut(ctx context.Context) (*FinetunePlan, error) {
	p := &FinetunePlan{
		Schema: "gtk.plan/1", Steps: f.cfg.Steps(f.train.Len()), BatchSize: f.cfg.Batch(f.train.Len()), Examples: f.train.Len(),
		Params:  f.parameters(),
		Tensors: len(f.cfg.Params),
	}
	best, last := time.Duration(math.MaxInt64), time.Now()
	try := f.cfg
	try.Val, try.Patience, try.MaxSteps, try.Epochs, try.Unfreeze = nil, 0, 3, 3, nil // as long as a step can take
	try.Step = func(train.Progress) error {
		best, last = min(best, time.Since(last)), time.Now()
		return nil
	}
	res, err := f.way.fit(ctx, f, try, Quiet)
	if err != nil && !(errors.Is(err, train.ErrDiverged) && res != nil && res.Steps > 0) {
		return nil, err
	}
	p.MsPerStep, p.Seconds, p.ArenaMiB = units.Ms(best), best.Seconds()*float64(p.Steps), res.ArenaMiB
	return p, nil
}
