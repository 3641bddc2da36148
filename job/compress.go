package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/gtk-onnx/gtk/compress"
	_ "github.com/gtk-onnx/gtk/compress/tokens" // its methods
	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/train"
)

// CompressConfig says how a model is made smaller.
type CompressConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Method      string       // NAME:OPTION=VALUE… of compress.Methods; required
	MACs        float64      // share of the multiply-accumulate operations that is left, for methods that take it; 0 for none
	Keep        []string     // globs of nodes and weights that stay as they are
	Data        string       // data set to calibrate on, to learn from and to fine-tune on; "" for none
	DataOptions data.Options // of reading
	UseOptions               // what inputs and outputs mean
	Val         string       // data set to measure on before and after; "" measures on Data
	ValSplit    float64      // share of Data to measure on instead, in (0,1); 0 for none
	TrainOptions
	Epochs int // of fine-tuning after it, for methods that take it; 0 for none

	LatencyBatch int    // examples in the runs that are timed; 0 means 1
	LatencyRuns  int    // of each model; 0 means 30, negative times nothing
	Out          string // FILE.onnx; required
	Report       string // folder for what there is to look at; "" for none
	Replay       []byte // content of the run.yaml that is written into it; nil for none
	Force        bool   // replace what is there
	Seed         uint64 // of everything random
}

// CompressReport is a model before and after.
type CompressReport struct {
	Schema           string         `json:"schema"`
	Model            string         `json:"model"`
	Method           string         `json:"method"`
	Data             string         `json:"data,omitempty"`
	Measured         string         `json:"measured_on,omitempty"` // data set of the qualities
	Task             string         `json:"task,omitempty"`
	Why              []string       `json:"why,omitempty"` // how that was understood
	MACsBefore       int64          `json:"macs_before"`
	MACsAfter        int64          `json:"macs_after"`
	ParametersBefore int            `json:"parameters_before"`
	ParametersAfter  int            `json:"parameters_after"`
	BytesBefore      int64          `json:"bytes_before"`
	BytesAfter       int64          `json:"bytes_after"`
	ZippedBefore     int64          `json:"zipped_bytes_before"` // by gzip
	ZippedAfter      int64          `json:"zipped_bytes_after"`
	Metric           string         `json:"metric,omitempty"` // by which models are compared
	MetricBefore     Number         `json:"metric_before"`
	MetricAfter      Number         `json:"metric_after"`
	AccuracyBefore   Number         `json:"accuracy_before"`
	AccuracyUntuned  Number         `json:"accuracy_untuned"` // after the method, before fine-tuning
	AccuracyAfter    Number         `json:"accuracy_after"`
	Before           *Quality       `json:"before"`  // null where quality cannot be measured
	Untuned          *Quality       `json:"untuned"` // null without fine-tuning
	After            *Quality       `json:"after"`
	LatencyBefore    Number         `json:"latency_before"` // median, ms
	LatencyAfter     Number         `json:"latency_after"`
	Latency          *LatencyReport `json:"latency"` // null where it was left out
	Epochs           int            `json:"epochs,omitempty"`
	TrainLoss        Number         `json:"train_loss"`
	Details          any            `json:"details,omitempty"` // of the method
	Out              string         `json:"out"`
	Verify           *ReadBack      `json:"verify"` // the written file against the model in memory
	Report           string         `json:"report,omitempty"`
	Seconds          float64        `json:"seconds"`
	Notes            []string       `json:"notes,omitempty"`
	Says             []string       `json:"says,omitempty"`
	DryRun           bool           `json:"dry_run,omitempty"`
	Plan             []string       `json:"plan,omitempty"` // what would be done
	History          []EpochQuality `json:"history,omitempty"`
}

// LatencyReport is how two models were timed, one run of each in turn.
type LatencyReport struct {
	Batch      int    `json:"batch"`
	Threads    int    `json:"threads"`
	Runs       int    `json:"runs"` // of each
	BestBefore Number `json:"best_before"`
	BestAfter  Number `json:"best_after"`
	Ratio      Number `json:"speedup"` // of the medians
}

// check looks at what can be checked before anything is read.
func (c *CompressConfig) check() (m compress.Method, err error) {
	switch {
	case c.Method == "":
		return nil, usagef("gtk compress: --method is missing; see gtk compress --list")
	case c.MACs != 0 && !(c.MACs > 0 && c.MACs < 1):
		return nil, usagef("--macs %v: want the share of the operations that is left, between 0 and 1", c.MACs)
	case c.Val != "" && c.ValSplit != 0:
		return nil, usagef("--val and --val-split exclude each other")
	case c.ValSplit != 0 && !(c.ValSplit > 0 && c.ValSplit < 1):
		return nil, usagef("--val-split %v: want a number between 0 and 1", c.ValSplit)
	case c.ValSplit != 0 && c.Data == "":
		return nil, usagef("--val-split is a share of --data, which is missing")
	case c.Epochs < 0:
		return nil, usagef("--epochs %d: want a number of passes over the data", c.Epochs)
	case c.LatencyBatch < 0:
		return nil, usagef("--latency-batch %d: want a number of examples", c.LatencyBatch)
	}
	if m, err = compress.New(c.Method); err != nil {
		return nil, usagef("--method: %v; see gtk compress --list", err)
	}
	need := m.Needs()
	switch {
	case (need.Data || need.Labels) && c.Data == "":
		return nil, usagef("--method %s looks at examples: give --data SPEC; see gtk data --list", c.Method)
	case need.MACs && c.MACs == 0:
		return nil, usagef("--method %s: give the share of the operations that is left, as in --macs 0.6", c.Method)
	case c.Epochs > 0 && !need.Tuning && !need.Epochs:
		return nil, usagef("--epochs %d: --method %s is not followed by training", c.Epochs, c.Method)
	case c.Epochs > 0 && c.Data == "":
		return nil, usagef("--epochs %d: fine-tuning needs data: give --data SPEC", c.Epochs)
	}
	return m, nil
}

// compression is a model that is being made smaller.
type compression struct {
	c      CompressConfig
	method compress.Method
	before *Model
	u      *use         // with the data; nil without any
	val    data.Dataset // nil where nothing can be measured
	s      *compress.Subject
	r      *CompressReport
	rep    Reporter
	write  func(put func(string, func(io.Writer) error) error) error // compress.Result.Write
}

// Compress makes a model smaller, fine-tunes and writes it, reads it back and compares, and measures both models: operations, size, quality
// on data, and time. Where the written file gives other outputs than the model in memory the report comes with a NoError.
func Compress(ctx context.Context, c CompressConfig, rep Reporter) (*CompressReport, error) {
	if c.Out == "" {
		return nil, usagef("gtk compress: the output is missing: give -o OUT.onnx")
	}
	return compressed(ctx, c, orQuiet(rep), false)
}

// PlanCompress says what Compress would do, from the model and a look at the data; Out may be "".
func PlanCompress(ctx context.Context, c CompressConfig, rep Reporter) (*CompressReport, error) {
	return compressed(ctx, c, orQuiet(rep), true)
}

func compressed(ctx context.Context, c CompressConfig, rep Reporter, dry bool) (*CompressReport, error) {
	start := time.Now()
	m, err := c.check()
	if err != nil {
		return nil, err
	}
	release, err := claim(reads(c.Model, c.ModelOptions, c.Data, c.Val), output{flag: "--out", path: c.Out, model: true, force: c.Force},
		output{flag: "--report", path: c.Report, folder: true, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	nan := missing()
	x := &compression{c: c, method: m, rep: rep, r: &CompressReport{
		Schema: "gtk.compress/1", Model: c.Model, Method: c.Method, Data: c.Data, Out: c.Out, DryRun: dry,
		MetricBefore: nan, MetricAfter: nan, AccuracyBefore: nan, AccuracyUntuned: nan, AccuracyAfter: nan, LatencyBefore: nan, LatencyAfter: nan,
		TrainLoss: nan,
	}}
	if x.before, err = openModel(c.Model, c.ModelOptions, rep); err != nil {
		return nil, err
	}
	if err := x.open(ctx); err != nil {
		return nil, err
	}
	if dry {
		if x.r.MACsBefore, x.r.ParametersBefore, err = costs(x.before.Model); err != nil {
			return nil, err
		}
		x.r.Plan, err = m.Plan(ctx, x.s)
		return x.r, blamed(err)
	}
	if err := x.run(ctx); err != nil {
		return nil, err
	}
	x.r.Seconds = time.Since(start).Seconds()
	if !x.r.Verify.Pass {
		return x.r, &NoError{fmt.Sprintf("%s, read back, does not give the outputs of the model in memory", x.r.Out)}
	}
	return x.r, nil
}

// blamed marks an error of a method by whose mistake it is.
func blamed(err error) error {
	var ask *compress.AskError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ask):
		return usagef("%v", err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), KindOf(err) != KindInternal:
		return err
	}
	return badInput(err)
}

// run measures, compresses, fine-tunes, writes and measures again.
func (x *compression) run(ctx context.Context) error {
	r := x.r
	var err error
	if r.MACsBefore, r.ParametersBefore, err = costs(x.before.Model); err != nil {
		return err
	}
	if r.BytesBefore, r.ZippedBefore, err = fileSizes(x.before.File()); err != nil {
		return err
	}
	before, err := x.quality(ctx, x.before.Model, "before")
	if err != nil {
		return err
	}
	res, err := x.method.Compress(ctx, x.s)
	if err != nil {
		return blamed(err)
	}
	r.Details, r.Says, x.write = res.Details, res.Says, res.Write
	for _, s := range res.Says {
		x.rep.Say(s)
	}
	small, err := loadAgain(res.File, x.c.Threads)
	if err != nil {
		return fmt.Errorf("the smaller model: %w", err)
	}
	if x.c.Epochs > 0 && !x.method.Needs().Epochs {
		if small, err = x.tune(ctx, small, res); err != nil {
			return err
		}
	}
	file, err := small.Save()
	if err != nil {
		return err
	}
	if len(x.c.Preprocess) > 0 || x.c.Labels != "" { // what was said of its use goes with it
		pre := x.before.Pre
		if x.u != nil {
			pre = x.u.pre
		}
		if err := setUse(file, x.before.Labels, pre); err != nil {
			return err
		}
	}
	if r.MACsAfter, r.ParametersAfter, err = costs(small); err != nil {
		return err
	}
	if r.BytesAfter, r.ZippedAfter, err = fileSizes(file); err != nil {
		return err
	}
	after, err := x.quality(ctx, small, "after")
	if err != nil {
		return err
	}
	x.compare(before, after)
	if x.c.LatencyRuns >= 0 {
		if err := x.time(ctx, small); err != nil {
			return err
		}
	}
	return x.save(ctx, file, small)
}

// compare puts what was measured into the report.
func (x *compression) compare(before, after *train.Evaluation) {
	if before == nil || after == nil {
		return
	}
	r := x.r
	r.Before, r.After = qualityOf(before), qualityOf(after)
	r.Metric, _ = x.u.task.Primary()
	r.MetricBefore, r.MetricAfter = Number(before.Metric(r.Metric)), Number(after.Metric(r.Metric))
	r.AccuracyBefore, r.AccuracyAfter = r.Before.Accuracy, r.After.Accuracy
	if r.Untuned != nil {
		r.AccuracyUntuned = r.Untuned.Accuracy
	}
}

// quality measures a model on the data; nil where it cannot be measured.
func (x *compression) quality(ctx context.Context, m *engine.Model, what string) (*train.Evaluation, error) {
	if x.val == nil {
		return nil, nil
	}
	u, err := x.understood(ctx, m)
	if err != nil {
		return nil, err
	}
	bar := x.rep.Stage(what, x.val.Len())
	defer bar.End()
	return train.Evaluate(ctx, m, x.val, train.EvalConfig{Task: u.task, Feed: u.plan, Preprocess: u.pre, BatchSize: max(0, x.c.BatchSize),
		Progress: func(done, _ int) { bar.Set(done, "") }})
}

// tune trains the smaller model; what the method made zero stays so.
func (x *compression) tune(ctx context.Context, small *engine.Model, res *compress.Result) (*engine.Model, error) {
	untuned, err := x.quality(ctx, small, "before fine-tuning")
	if err != nil {
		return nil, err
	}
	x.r.Untuned = qualityOf(untuned)
	cfg, _, err := x.c.TrainOptions.config(small, "train", x.c.Seed)
	if err != nil {
		return nil, err
	}
	u, err := x.understood(ctx, small)
	if err != nil {
		return nil, err
	}
	cfg.Task, cfg.Feed, cfg.Preprocess, cfg.Epochs, cfg.Note = u.task, u.plan, u.pre, x.c.Epochs, x.rep.Note
	if x.c.Val != "" || x.c.ValSplit != 0 {
		cfg.Val = x.val
	}
	cfg.Epoch = func(p train.EpochReport) error {
		x.rep.Epoch(p)
		x.r.History = append(x.r.History, epochQuality(p))
		return nil
	}
	stage := x.rep.Stage("fine-tuning", cfg.Steps(x.s.Data.Len()))
	defer stage.End()
	cfg.Step = func(p train.Progress) error {
		stage.Step(p)
		return keepZero(small, res.Zero)
	}
	fit, err := train.Fit(ctx, small, x.s.Data, cfg)
	if err != nil {
		return nil, err
	}
	if err = keepZero(small, res.Zero); err != nil { // an average of the weights may have taken their place
		return nil, err
	}
	x.r.Epochs, x.r.TrainLoss = fit.Epochs, Number(fit.TrainLoss)
	_, err = small.Settle()
	return small, badInput(err)
}

// save writes the model and what there is to look at, and reads the model back.
func (x *compression) save(ctx context.Context, file *onnx.Model, small *engine.Model) error {
	if err := file.WriteFile(x.c.Out, onnx.WriteOptions{Force: x.c.Force}); err != nil {
		return err
	}
	var err error
	if x.r.Verify, err = x.readBack(ctx, small); err != nil || x.c.Report == "" {
		return err
	}
	if x.write == nil {
		x.note("--report: the method has nothing to look at beside the model")
		return nil
	}
	dir, err := newResults(x.c.Report)
	if err != nil {
		return err
	}
	defer dir.Discard()
	if err := x.write(func(name string, write func(io.Writer) error) error {
		return dir.write(filepath.Join(x.c.Report, name), write)
	}); err != nil {
		return err
	}
	if err := dir.replay(x.c.Replay); err != nil {
		return err
	}
	x.r.Report = x.c.Report
	return dir.Commit()
}

// note notes what is worth knowing.
func (x *compression) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	x.r.Notes = append(x.r.Notes, n)
	x.rep.Note(n)
}

// telling is a Reporter for package compress.
type telling struct{ x *compression }

func (t telling) Note(text string) { t.x.note("%s", text) }
func (t telling) Say(text string)  { t.x.rep.Say(text) }

func (t telling) Stage(what string, total int) (func(int, string), func()) {
	s := t.x.rep.Stage(what, total)
	return s.Set, s.End
}

// String is what became of the model, in a line.
func (r *CompressReport) String() string {
	return fmt.Sprintf("%s → %s multiply-adds, %s → %s", units.Count(r.MACsBefore), units.Count(r.MACsAfter), units.Size(r.BytesBefore),
		units.Size(r.BytesAfter))
}

// batch is how many examples the timed runs have.
func (c *CompressConfig) batch() int { return cmp.Or(c.LatencyBatch, 1) }
