package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "finetune", Usage: "train a model on a data set", ArgsUsage: "MODEL --data SPEC [--val SPEC] -o OUT",
		Description: "Trains, writes the model with labels and preprocessing in its metadata, reads it back and compares.\n\n" +
			"  gtk finetune model.onnx --data imagefolder:photos --val-split 0.2 --num-classes auto --optimizer diffgrad -o out.onnx\n" +
			"  gtk finetune model.onnx --data imagefolder:photos --last-layer --epochs 3 -o out.onnx\n\n" +
			"With --optimizer sgd --lr 1 --schedule constant --epochs 1 --batch-size ALL --shuffle=false this is exactly one step along the gradient.\n" +
			"Ctrl-C saves a checkpoint (--checkpoint, or one beside the output) that --resume continues bit for bit.",
		Flags: slices.Concat([]ucli.Flag{
			dataFlag(),
			&ucli.StringFlag{Name: "val", Category: "data", Usage: "data set to measure on before, after each epoch and at the end"},
			&ucli.Float64Flag{Name: "val-split", Category: "data", Usage: "share of --data to measure on instead, in (0,1)"},
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE`.onnx for the trained model, or a folder for model.onnx, run.yaml and checkpoints"},
			&ucli.BoolFlag{Name: "force", Usage: "overwrite"},
			&ucli.BoolFlag{Name: "dry-run", Usage: "say what would be trained, how long it takes and the memory it needs"},
			&ucli.BoolFlag{Name: "list", Usage: "list optimisers, schedules and losses"},
			&ucli.IntFlag{Name: "epochs", Category: "training", Value: 5, Usage: "passes over the data"},
			&ucli.IntFlag{Name: "max-steps", Category: "training", Usage: "stop after so many steps"},
			&ucli.StringFlag{Name: "num-classes", Category: "training", Usage: "replace the last layer by a fresh one for `N` classes; auto: as many as the data has"},
			&ucli.BoolFlag{Name: "standardise", Category: "training", Usage: "features without pictures: bring each to mean 0 and deviation 1, and store that in the model"},
			&ucli.BoolFlag{Name: "tract", Category: "TrAct", Usage: "train the first layer by TrAct (https://arxiv.org/abs/2410.23970)"},
			&ucli.Float64Flag{Name: "tract-lambda", Category: "TrAct", Value: 0.1, Usage: "its ridge; inputs should have unit variance"},
			&ucli.StringFlag{Name: "tract-layer", Category: "TrAct", Usage: "`NODE` to apply it to, when the first layer is not found"},
			&ucli.StringFlag{Name: "checkpoint", Category: "checkpoints", Usage: "`FILE` (.npz) to write after each epoch and when interrupted"},
			&ucli.StringFlag{Name: "resume", Category: "checkpoints", Usage: "`FILE` to continue from; give the same flags as before"},
		}, loopFlags("frozen"), optimizerFlags(), dataFlags(), preprocessFlags()),
	}, runFinetune))
}

// finetuneReport is what gtk finetune --json prints.
type finetuneReport struct {
	Schema    string        `json:"schema"`
	Model     string        `json:"model"`
	Data      string        `json:"data"`
	Optimizer string        `json:"optimizer"`
	LR        float64       `json:"lr"`
	Params    int           `json:"trained_parameters"`
	Steps     int           `json:"steps"`
	Epochs    int           `json:"epochs"`
	TrainLoss number        `json:"train_loss"`
	Before    *quality      `json:"val_before"`
	After     *quality      `json:"val_after"`
	History   []epochJSON   `json:"history"`
	TrAct     *tractJSON    `json:"tract,omitempty"`
	Out       string        `json:"out"`
	Verify    *verifyResult `json:"verify"`
	Seconds   float64       `json:"seconds"`
	ArenaMiB  float64       `json:"arena_mib"`
	Notes     []string      `json:"notes,omitempty"`
}

type quality struct {
	N        int    `json:"n"`
	Accuracy number `json:"accuracy"`
	Top5     number `json:"top5"`
	Loss     number `json:"loss"`
}

func qualityOf(v *train.Evaluation) *quality {
	if v == nil {
		return nil
	}
	return &quality{v.N, number(v.Accuracy), number(v.Top5), number(v.Loss)}
}

type epochJSON struct {
	Epoch         int               `json:"epoch"`
	TrainLoss     number            `json:"train_loss"`
	TrainAccuracy number            `json:"train_accuracy"`
	Val           *quality          `json:"val"`
	Seconds       float64           `json:"seconds"`
	Measures      map[string]number `json:"measures,omitempty"`
}

type tractJSON struct {
	Layer  string  `json:"layer"`
	Weight string  `json:"weight"`
	Inputs int     `json:"n"`
	Rows   int     `json:"rows"`
	Lambda float64 `json:"lambda"`
}

type verifyResult struct {
	Pass   bool    `json:"pass"`
	MaxAbs float64 `json:"max_abs"`
	N      int     `json:"n"`
}

// trainee is a model ready to be trained with its data.
type trainee struct {
	*loaded
	train, val data.Dataset     // val is nil without validation data
	pre        *data.Preprocess // that of train and val as they are given here
	stored     *data.Preprocess // what goes into the model's metadata
	notes      []string
}

func runFinetune(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(trainingList())
	}
	path, err := oneArg(c, "the model")
	if err != nil {
		return err
	}
	if err := finetuneUsage(c); err != nil {
		return err
	}
	t, err := e.openTrainee(c, path)
	if err != nil {
		return err
	}
	cfg, lr, err := e.loopConfig(c, t.Model)
	if err != nil {
		return err
	}
	cfg.Epochs, cfg.MaxSteps, cfg.Val, cfg.Preprocess = c.Int("epochs"), c.Int("max-steps"), t.val, t.pre
	if c.Bool("tract") || c.IsSet("tract-layer") {
		cfg.TrAct = &train.TrAct{Lambda: float32(c.Float64("tract-lambda")), Layer: c.String("tract-layer")}
	}
	if train.FreshBatchNorm(t.Model) && cfg.BN == engine.BNFrozen {
		t.notes = append(t.notes, "the statistics of batch normalisation were never trained; --bn train usually learns much better")
	}
	for _, n := range t.notes {
		e.warn("%s", n)
	}
	if c.Bool("dry-run") {
		return e.planTraining(ctx, t, cfg)
	}
	return e.finetune(ctx, c, t, cfg, lr)
}

// finetuneUsage checks what can be checked before anything is read.
func finetuneUsage(c *ucli.Context) error {
	switch {
	case c.String("data") == "":
		return usagef("gtk finetune: --data is missing; see gtk data --list")
	case c.String("out") == "" && !c.Bool("dry-run"):
		return usagef("gtk finetune: the output is missing: give -o OUT.onnx, or -o FOLDER")
	case c.Int("epochs") < 1:
		return usagef("--epochs %d: want at least 1", c.Int("epochs"))
	case c.Int("max-steps") < 0:
		return usagef("--max-steps %d: must not be negative", c.Int("max-steps"))
	case c.String("val") != "" && c.IsSet("val-split"):
		return usagef("--val and --val-split exclude each other")
	case c.IsSet("val-split") && !(c.Float64("val-split") > 0 && c.Float64("val-split") < 1):
		return usagef("--val-split %v: want a number between 0 and 1", c.Float64("val-split"))
	case !(c.Float64("tract-lambda") > 0):
		return usagef("--tract-lambda %v: want a positive number", c.Float64("tract-lambda"))
	}
	if c.Bool("dry-run") {
		return nil
	}
	return mayWrite(outputOf(c).model, c.Bool("force"))
}

// output is where a training writes.
type output struct{ model, config, checkpoint string }

// outputOf is a file with others beside it when -o names an .onnx file, else a folder.
func outputOf(c *ucli.Context) output {
	out := c.String("out")
	if stem, ok := strings.CutSuffix(out, ".onnx"); ok {
		return output{out, stem + ".run.yaml", stem + ".checkpoint.npz"}
	}
	return output{filepath.Join(out, "model.onnx"), filepath.Join(out, "run.yaml"), filepath.Join(out, "checkpoint.npz")}
}

// openTrainee reads model and data, replaces the head when --num-classes asks for it, and checks that they fit.
func (e *env) openTrainee(c *ucli.Context, path string) (*trainee, error) {
	l, err := e.loadModel(c, path)
	if err != nil {
		return nil, err
	}
	t := &trainee{loaded: l}
	fresh := c.String("num-classes")
	if fresh != "" && c.String("labels") == "" {
		l.Labels = nil // the data says what the classes are
	}
	ds, pre, assumed, err := openData(c, l, c.String("data"))
	if err != nil {
		return nil, err
	}
	if assumed != "" {
		t.notes = append(t.notes, assumed)
	}
	t.train, t.pre = ds, pre
	classes := ds.Label(0) >= 0 && c.String("loss") != "mse"
	if classes {
		if err := data.Check(ds); err != nil {
			return nil, err
		}
		if err := e.fitHead(t, fresh); err != nil {
			return nil, err
		}
	} else if fresh != "" {
		return nil, usagef("--num-classes: the data set has no classes")
	}
	if spec := c.String("val"); spec != "" {
		if t.val, err = data.Open(spec, dataOptions(c, l.Labels)); err != nil {
			return nil, fmt.Errorf("--val: %w", err)
		}
	}
	if f := c.Float64("val-split"); f > 0 {
		if t.train, t.val, err = data.Split(ds, f, e.Seed); err != nil {
			return nil, err
		}
	}
	if c.Bool("standardise") {
		p, err := data.Standardise(t.train)
		if err != nil {
			return nil, usagef("--standardise: %v", err)
		}
		t.pre = &p
	}
	t.stored = t.pre
	t.cache(c)
	return t, nil
}

// cacheBytes bounds the memory in which decoded pictures are kept between epochs.
const cacheBytes = 1 << 30

// cache keeps resized pictures in memory, unless the augmentation needs the originals.
func (t *trainee) cache(c *ucli.Context) {
	a, err := data.ParseAugment(c.String("augment"))
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
func (e *env) fitHead(t *trainee, fresh string) error {
	need := len(t.train.Classes())
	for i := range t.train.Len() {
		need = max(need, t.train.Label(i)+1)
	}
	have := outputClasses(t.Model)
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
		file, head, err := train.ReplaceHead(t.File(), n, e.Seed)
		if err != nil {
			return badInput(err)
		}
		m, err := engine.Load(file, engine.WithThreads(e.Threads))
		if err != nil {
			return badInput(err)
		}
		t.Model = m
		e.printf("last layer %s (%s): fresh, %d classes\n", head.Node, head.Op, head.Classes)
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

// finetune trains, writes and verifies.
func (e *env) finetune(ctx context.Context, c *ucli.Context, t *trainee, cfg train.Config, lr float64) error {
	out := outputOf(c)
	if err := os.MkdirAll(filepath.Dir(out.model), 0o777); err != nil {
		return err
	}
	r := &finetuneReport{
		Schema: "gtk.finetune/1", Model: t.Path, Data: c.String("data"), Optimizer: c.String("optimizer"), LR: lr, Out: out.model,
		History: []epochJSON{}, Notes: t.notes,
	}
	for _, n := range cfg.Params {
		if p, err := t.Param(n); err == nil {
			r.Params += p.Value.Len()
		}
	}
	e.printf("%s: training %s parameters in %d tensors on %d examples, %s lr %g\n", t.Path, count(r.Params), len(cfg.Params), t.train.Len(), r.Optimizer, lr)
	if cfg.TrAct != nil {
		var err error
		if r.TrAct, err = tractOf(t, cfg); err != nil {
			return err
		}
		r.TrAct.Lambda = c.Float64("tract-lambda")
		e.printf("TrAct: layer %s, n = %d inputs, N = %s rows in a batch, lambda %g\n", r.TrAct.Layer, r.TrAct.Inputs, count(r.TrAct.Rows), r.TrAct.Lambda)
	}
	checkpoint := c.String("checkpoint")
	if err := e.resume(c, &cfg); err != nil {
		return err
	}
	interrupted := ""
	cfg.Save = func(k *train.Checkpoint) error {
		path := checkpoint
		if ctx.Err() != nil && path == "" {
			path = out.checkpoint
		}
		if path == "" {
			return nil
		}
		if ctx.Err() != nil {
			interrupted = path
		}
		return k.Write(path)
	}
	res, err := e.fit(ctx, t, cfg, r)
	if interrupted != "" {
		fmt.Fprintf(e.Stderr, "gtk: step %d saved in %s; go on with --resume %s\n", res.Steps, interrupted, interrupted)
	}
	if err != nil {
		return err
	}
	r.Steps, r.Epochs, r.TrainLoss, r.Seconds, r.ArenaMiB = res.Steps, res.Epochs, number(res.TrainLoss), res.Seconds, res.ArenaMiB
	r.Before, r.After = qualityOf(res.Before), qualityOf(res.After)
	if err := t.write(out.model, c.Bool("force")); err != nil {
		return err
	}
	if r.Verify, err = e.verifyWritten(ctx, t, out.model); err != nil {
		return err
	}
	if err := writeConfig(c, out.config); err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	if b, a := r.Before, r.After; b != nil {
		if math.IsNaN(float64(a.Accuracy)) {
			e.printf("validation loss %.6g → %.6g\n", float64(b.Loss), float64(a.Loss))
		} else {
			e.printf("validation accuracy %s → %s, loss %.4f → %.4f\n", percent(float64(b.Accuracy)), percent(float64(a.Accuracy)), float64(b.Loss), float64(a.Loss))
		}
	}
	e.printf("%d steps in %.1f s; written %s, read back: outputs differ by %.3g at most\n", r.Steps, r.Seconds, out.model, r.Verify.MaxAbs)
	if !r.Verify.Pass {
		return &noError{"the written model does not give the outputs of the trained one"}
	}
	return nil
}

// resume reads the checkpoint of --resume into cfg.
func (e *env) resume(c *ucli.Context, cfg *train.Config) error {
	path := c.String("resume")
	if path == "" {
		return nil
	}
	k, err := train.ReadCheckpoint(path)
	if err != nil {
		return fmt.Errorf("--resume: %w", err)
	}
	cfg.Resume = k
	e.printf("resumed at step %d\n", k.Step)
	return nil
}

// fit runs the training with a bar and a line for each epoch, and notes the epochs in r.
func (e *env) fit(ctx context.Context, t *trainee, cfg train.Config, r *finetuneReport) (*train.Result, error) {
	bar := e.newProgress("finetune", cfg.Steps(t.train.Len()))
	defer bar.end()
	cfg.Step = showSteps(bar)
	head := false
	cfg.Epoch = func(p train.EpochReport) error {
		j := epochJSON{Epoch: p.Epoch, TrainLoss: number(p.TrainLoss), TrainAccuracy: number(p.TrainAcc), Val: qualityOf(p.Val), Seconds: p.Seconds, Measures: map[string]number{}}
		for n, v := range p.Measures {
			j.Measures[n] = number(v)
		}
		r.History = append(r.History, j)
		if bar.bar != nil {
			_ = bar.bar.Clear() // the line of the epoch takes the bar's place
		}
		if !head {
			e.printf("%6s  %10s  %9s  %10s  %9s  %8s\n", "epoch", "loss", "accuracy", "val loss", "val acc.", "seconds")
			head = true
		}
		valLoss, valAcc := "-", "-"
		if p.Val != nil {
			valLoss, valAcc = fmt.Sprintf("%.4f", p.Val.Loss), percent(p.Val.Accuracy)
		}
		e.printf("%6d  %10.4f  %9s  %10s  %9s  %8.1f\n", p.Epoch, p.TrainLoss, percent(p.TrainAcc), valLoss, valAcc, p.Seconds)
		return nil
	}
	return train.Fit(ctx, t.Model, t.train, cfg)
}

// tractOf describes the layer that TrAct changes.
func tractOf(t *trainee, cfg train.Config) (*tractJSON, error) {
	l, err := cfg.TrAct.Find(t.Model, func(n string) bool { return slices.Contains(cfg.Params, n) })
	if err != nil {
		return nil, usagef("%v", err)
	}
	w, err := t.Param(l.Weight)
	if err != nil {
		return nil, err
	}
	j := &tractJSON{Layer: l.Node.Name, Weight: l.Weight, Inputs: w.Value.Len() / max(1, w.Value.Dim(0))}
	j.Rows = cfg.Batch(t.train.Len())
	if l.Node.Op.Name != "Conv" {
		if h := w.Value.Shape(); len(h) == 2 {
			j.Inputs = tractInputs(l, h)
		}
		return j, nil
	}
	ins, err := t.Inspect(t.Sizes(j.Rows))
	if err != nil {
		return nil, err
	}
	for _, layer := range ins.Layers {
		if layer.Name == l.Node.Name && len(layer.Shape) > 2 {
			for _, d := range layer.Shape[2:] {
				j.Rows *= max(1, d.Size)
			}
		}
	}
	return j, nil
}

// tractInputs is the number of inputs of a dense layer with a weight of shape s: axis 1 when it is stored transposed.
func tractInputs(l *train.TrActLayer, s []int) int {
	if l.TransB {
		return s[1]
	}
	return s[0]
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
		b, err := json.Marshal(labels)
		if err != nil {
			return err
		}
		file.SetMetadata(labelsKey, string(b))
	}
	if pre != nil {
		file.SetMetadata(data.MetadataKey, pre.String())
	}
	return nil
}

// verifyWritten reads the written model back and compares its outputs on a few examples with those of the trained one.
func (e *env) verifyWritten(ctx context.Context, t *trainee, path string) (*verifyResult, error) {
	file, err := readModel(path)
	if err != nil {
		return nil, fmt.Errorf("reading the written model back: %w", err)
	}
	again, err := engine.Load(file, engine.WithThreads(e.Threads))
	if err != nil {
		return nil, fmt.Errorf("loading the written model: %w", err)
	}
	v := &verifyResult{N: min(8, t.train.Len())}
	for b, err := range data.Batches(ctx, t.train, data.Sequential(v.N), v.N, data.BatchOptions{Preprocess: t.pre}) {
		if err != nil {
			return nil, err
		}
		if v.MaxAbs, err = outputDistance(ctx, t.Model, again, b.X); err != nil {
			return nil, err
		}
	}
	v.Pass = v.MaxAbs == 0
	return v, nil
}

// planTraining prints what a training would do, from a few steps on a copy of the model in memory.
func (e *env) planTraining(ctx context.Context, t *trainee, cfg train.Config) error {
	size, steps := cfg.Batch(t.train.Len()), cfg.Steps(t.train.Len())
	best, last := time.Duration(math.MaxInt64), time.Now()
	try := cfg
	try.Val, try.MaxSteps, try.Epochs = nil, 3, 3
	try.Step = func(train.Progress) error {
		best, last = min(best, time.Since(last)), time.Now()
		return nil
	}
	res, err := train.Fit(ctx, t.Model, t.train, try)
	if err != nil && !errors.Is(err, train.ErrDiverged) {
		return err
	}
	params := 0
	for _, n := range cfg.Params {
		if p, err := t.Param(n); err == nil {
			params += p.Value.Len()
		}
	}
	seconds := best.Seconds() * float64(steps)
	if err := e.emit(map[string]any{
		"schema": "gtk.plan/1", "steps": steps, "batch_size": size, "examples": t.train.Len(), "trained_parameters": params,
		"ms_per_step": ms(best), "seconds": seconds, "arena_mib": res.ArenaMiB,
	}); err != nil {
		return err
	}
	e.printf("%d steps of %d examples, %s trained parameters in %d tensors\n", steps, size, count(params), len(cfg.Params))
	e.printf("about %.1f ms a step, %s in all (validation not counted); %.1f MiB for activations and gradients\n", ms(best), time.Duration(seconds*float64(time.Second)).Round(time.Second), res.ArenaMiB)
	e.printf("nothing was written\n")
	return nil
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
