package job

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/interrupt"
	"github.com/gtk-onnx/gtk/nas"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
)

// NASTrainConfig says how a supernet is trained.
type NASTrainConfig struct {
	Model string // supernet that gtk nas build made, or one that was trained before; required
	ModelOptions
	Data        string       // data set, FORMAT:PATH[#SPLIT]; required
	DataOptions data.Options // of reading
	Sampler     string       // of nas.Samplers; "" means panda
	// optimiser (sgd with momentum .9, weight decay 2.5e-4 and rate .05 unless given), schedule, batch size, augmentation
	TrainOptions
	Epochs    int     // 0 means 60
	Clip      float64 // most norm of the gradient of a step; 0 means 5, negative any
	Floor     float64 // least probability of an operator
	Keep      bool    // scores outlive an epoch
	Unbiased  bool    // examples that are drawn by a law are weighted
	MaxWeight float64 // most of their weights; 0 means 10
	Variance  int     // steps from which the variance of the gradient is estimated, on ten occasions; 0 means none

	Out    string // folder; required
	Replay []byte // content of the run.yaml that is written; nil for none
	Force  bool   // replace what is there
	Resume string // folder of a run to go on with, or its checkpoint; the rest of the configuration is that of the run
	Seed   uint64 // of everything random
}

// NASTrainReport is what a training did.
type NASTrainReport struct {
	Schema     string        `json:"schema"`
	Model      string        `json:"model"`
	Data       string        `json:"data"`
	Space      string        `json:"space"`
	Archs      float64       `json:"architectures"`
	Sampler    string        `json:"sampler"`
	Optimizer  string        `json:"optimizer"`
	LR         float64       `json:"lr"`
	BatchSize  int           `json:"batch_size"`
	Steps      int           `json:"steps"`
	Resumed    int           `json:"resumed,omitempty"` // steps that a run before had done
	Epochs     int           `json:"epochs"`
	Paths      int           `json:"paths"` // that were trained, with repetitions
	TrainLoss  Number        `json:"train_loss"`
	Accuracy   Number        `json:"train_accuracy"` // of the paths of the last epoch, on the examples that it showed
	Operators  []NASOperator `json:"operators"`
	Variance   []NASVariance `json:"variance,omitempty"`
	Out        string        `json:"out"`
	Checkpoint string        `json:"checkpoint"`
	Report     string        `json:"report"`
	Verify     *ReadBack     `json:"verify"`
	Seconds    float64       `json:"seconds"`
	Notes      []string      `json:"notes,omitempty"`

	History []EpochQuality `json:"history"`
}

// NASOperator is an operator and how probable it was in the last epoch.
type NASOperator struct {
	Name        string  `json:"name"`
	Probability float64 `json:"probability"`
}

// NASVariance is how the gradient of a step varies at the weights after an epoch, by law (nas.Trainer.Variance).
type NASVariance struct {
	Epoch    int     `json:"epoch"`
	Law      string  `json:"law"`      // uniform, path, data or joint
	Weighted bool    `json:"weighted"` // for the mean over all examples and paths alike
	Variance Number  `json:"variance"` // null where it is infinite
	Mean     float64 `json:"mean_norm"`
	Draws    int     `json:"draws"`
}

// files are what a training writes into its folder.
func (c NASTrainConfig) file(name string) string { return filepath.Join(c.Out, name) }

// check looks at what can be checked before anything is read.
func (c *NASTrainConfig) check() error {
	if c.Sampler == "" {
		c.Sampler = "panda"
	}
	if _, err := nas.Samplers().Lookup(c.Sampler); err != nil {
		return usagef("--sampler: %v", err)
	}
	if name, does := c.evaluates(); does {
		return usagef("%s evaluates the loss itself, and each step of a supernet has another path: take a rule that is handed gradients",
			name)
	}
	if c.Optimizer == "" {
		c.Optimizer = "sgd"
	}
	if c.BatchSize == 0 {
		c.BatchSize = 64
	}
	if c.Epochs == 0 {
		c.Epochs = 60
	}
	if c.Rule == nil {
		c.Rule = map[string]string{}
	}
	if c.Optimizer == "sgd" {
		for name, v := range map[string]string{"momentum": "0.9", "weight-decay": "0.00025"} {
			if c.Rule[name] == "" {
				c.Rule[name] = v
			}
		}
		if c.LR == 0 {
			c.LR = 0.05
		}
	}
	switch {
	case c.Data == "":
		return usagef("gtk nas train: --data is missing; see gtk data --list")
	case c.Epochs < 0:
		return usagef("--epochs %d: want at least 1", c.Epochs)
	case c.BatchSize < 0:
		return usagef("--batch-size ALL: each step trains one path: give a number of examples")
	case c.BatchSize == 1:
		return usagef("--batch-size 1: statistics of a batch need two examples at least")
	case !(c.Floor >= 0 && c.Floor < 1):
		return usagef("--floor %v: want a probability", c.Floor)
	case c.MaxWeight < 0:
		return usagef("--max-weight %v: want a positive number", c.MaxWeight)
	case c.Variance < 0 || c.Variance == 1:
		return usagef("--variance %d: want 2 steps at least", c.Variance)
	}
	return nil
}

// NASTrain trains a supernet into a folder. When ctx is cancelled a checkpoint is written, which the InterruptedError names. Where the
// written supernet gives other scores than its paths the report comes with a NoError.
func NASTrain(ctx context.Context, c NASTrainConfig, rep Reporter) (*NASTrainReport, error) {
	rep = orQuiet(rep)
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Out == "" {
		return nil, usagef("gtk nas train: the output is missing: give -o FOLDER")
	}
	var start *train.Checkpoint
	if c.Resume != "" {
		var err error
		if start, err = (FinetuneConfig{Resume: c.Resume}).continued(); err != nil {
			return nil, err
		}
	}
	release, err := claim(reads(c.Model, c.ModelOptions, c.Data), output{flag: "--out", path: c.Out, folder: true,
		force: c.Force || start != nil})
	if err != nil {
		return nil, err
	}
	defer release()
	for _, name := range []string{supernetFile, "checkpoint.npz", metricsCSV, reportPage} {
		if err := MayWrite(c.file(name), c.Force || start != nil); err != nil {
			return nil, err
		}
	}
	if err := c.mayNotHold(); err != nil {
		return nil, err
	}
	s, err := openSupernet(ctx, c.Model, c.ModelOptions, c.Data, "", c.DataOptions, rep)
	if err != nil {
		return nil, err
	}
	return c.run(ctx, s, start, rep)
}

// mayNotHold refuses the folder of a run as the place of one that begins from its supernet.
func (c NASTrainConfig) mayNotHold() error {
	if one(c.Model, c.file(supernetFile)) || one(c.Model, c.Out) {
		return usagef("the supernet %s is what the training would write: give another folder", c.Model)
	}
	return nil
}

// config is how s is trained; lr is the learning rate that is taken.
func (c NASTrainConfig) config(s *supernet) (cfg nas.Config, lr float64, err error) {
	if k := len(s.n.Ops); c.Floor*float64(k) >= 1 {
		return cfg, 0, usagef("--floor %v: the probabilities of %d operators cannot all be so large: want less than 1/%d", c.Floor, k, k)
	}
	if err := s.mayAugment(c.Augment); err != nil {
		return cfg, 0, err
	}
	augment, err := data.ParseAugment(c.Augment)
	if err != nil {
		return cfg, 0, usagef("--augment: %v", err)
	}
	s.cache(c.Augment)
	opt, schedule, lr, err := c.optimizer()
	if err != nil {
		return cfg, 0, err
	}
	cfg = nas.Config{Sampler: c.Sampler, Task: s.task, Feed: s.plan, Preprocess: s.pre, Augment: augment, Epochs: c.Epochs,
		BatchSize: c.BatchSize,
		Optimizer: opt, Schedule: schedule, Clip: c.Clip, Seed: c.Seed, Pool: s.Pool(), Floor: c.Floor, Keep: c.Keep, Unbiased: c.Unbiased,
		MaxWeight: c.MaxWeight}
	cfg.Traits = c.traits(lr)
	return cfg, lr, nil
}

// run trains s and writes what came of it.
func (c NASTrainConfig) run(ctx context.Context, s *supernet, start *train.Checkpoint, rep Reporter) (*NASTrainReport, error) {
	cfg, lr, err := c.config(s)
	if err != nil {
		return nil, err
	}
	if err := s.remember(); err != nil {
		return nil, err
	}
	cfg.Resume = start
	r := &NASTrainReport{Schema: "gtk.nas-train/1", Model: s.path, Data: c.Data, Space: s.n.Name, Archs: s.n.Size(), Sampler: c.Sampler,
		Optimizer: c.Optimizer, LR: lr, Out: c.file(supernetFile), Checkpoint: c.file("checkpoint.npz"), Report: c.file(reportPage),
		Notes: s.notes}
	rep.Say(fmt.Sprintf("%s: %s architectures of %d choices; %s", s.n.Name, countOf(s.n.Size()), len(s.n.Choices), s.task))
	var stage Stage
	defer func() {
		if stage != nil {
			stage.End()
		}
	}()
	var hold func()
	defer func() {
		if hold != nil {
			hold()
		}
	}()
	cfg.Step = func(p train.Progress) error {
		if hold == nil { // from the first step on there is something to save
			hold = interrupt.Hold()
			if c.Replay != nil && start == nil {
				if err := WriteFile(c.file("run.yaml"), func(w io.Writer) error { _, err := w.Write(c.Replay); return err }); err != nil {
					return err
				}
			}
		}
		if stage == nil {
			stage = rep.Stage("training", p.Steps)
		}
		stage.Step(p)
		return nil
	}
	cfg.Epoch = func(h train.EpochReport) error {
		rep.Epoch(h)
		return nil
	}
	step := 0
	cfg.Save = func(k *train.Checkpoint) error {
		step = k.Step
		return k.Write(r.Checkpoint)
	}
	if c.Variance > 0 {
		cfg.Look = c.look
	}
	res, err := nas.Train(ctx, s.n, s.train, cfg)
	if err != nil {
		var differ *train.ResumeError
		var bad *train.CheckpointError
		switch {
		case errors.As(err, &differ):
			lines := differ.Lines()
			for i, d := range differ.Differ {
				if d.Name != "supernet" && d.Name != "preprocessing" {
					lines[i] = "--" + lines[i]
				}
			}
			return nil, usagef("--resume %s: the checkpoint is of another run: %s. Give what it was made with", c.Resume,
				strings.Join(lines, "; "))
		case errors.As(err, &bad):
			return nil, badInput(fmt.Errorf("--resume %s: %w", c.Resume, err))
		case ctx.Err() != nil && step > 0:
			return nil, &InterruptedError{Step: step, Checkpoint: r.Checkpoint, Err: err}
		}
		return nil, err
	}
	r.Steps, r.Epochs, r.Resumed, r.Paths, r.Seconds = res.Steps, res.Epochs, res.Resumed, res.Paths, res.Seconds
	for o, name := range s.n.Ops {
		r.Operators = append(r.Operators, NASOperator{name, res.Law[o]})
	}
	for _, h := range res.History {
		r.History = append(r.History, epochQuality(h))
		r.TrainLoss, r.Accuracy = Number(h.TrainLoss), Number(h.TrainAcc)
		r.Variance = append(r.Variance, c.variances(h)...)
	}
	err = c.write(ctx, s, r)
	if no := (*NoError)(nil); err != nil && !errors.As(err, &no) {
		return nil, err // the report is not complete
	}
	return r, err
}

// traits are the options by the names of their flags that the result depends on.
func (c NASTrainConfig) traits(lr float64) (ts []train.Trait) {
	add := func(name, value string) { ts = append(ts, train.Trait{Name: name, Value: value}) }
	add("optimizer", c.Optimizer)
	add("lr", strconv.FormatFloat(lr, 'g', -1, 64))
	add("schedule", c.Schedule)
	add("warmup", c.Warmup)
	for _, x := range optim.Options() {
		if v := c.Rule[x.Name]; v != "" {
			add(x.Name, v)
		}
	}
	add("augment", c.Augment)
	return ts
}

// look measures the variance of the gradient after each tenth of the epochs.
func (c NASTrainConfig) look(ctx context.Context, t *nas.Trainer, epoch int) (map[string]float64, error) {
	if epoch%max(1, c.Epochs/10) != 0 {
		return nil, nil
	}
	m := map[string]float64{}
	for _, law := range nasLaws {
		for _, weighted := range []bool{false, true} {
			s, err := t.Variance(ctx, nas.Draw{Data: law.data, Path: law.path, Tau: float64(epoch-1) / float64(c.Epochs),
				Weighted: weighted},
				c.Variance, uint64(epoch))
			if err != nil {
				return nil, err
			}
			key := measureOf(law.name, weighted)
			m[key+".mean"] = s.Mean
			if !math.IsInf(s.Variance, 0) {
				m[key] = s.Variance
			}
		}
	}
	return m, nil
}

// measureOf is the name of the variance by a law among the measures of an epoch.
func measureOf(law string, weighted bool) string {
	if weighted {
		return "variance." + law + ".weighted"
	}
	return "variance." + law
}

// variances are those of an epoch, nil where none were measured.
func (c NASTrainConfig) variances(h train.EpochReport) (list []NASVariance) {
	for _, law := range nasLaws {
		for _, weighted := range []bool{false, true} {
			key := measureOf(law.name, weighted)
			mean, ok := h.Measures[key+".mean"]
			if !ok {
				continue
			}
			v, finite := h.Measures[key]
			if !finite {
				v = math.Inf(1)
			}
			list = append(list, NASVariance{h.Epoch, law.name, weighted, Number(v), mean, c.Variance})
		}
	}
	return list
}

// nasLaws are the laws whose gradients are compared.
var nasLaws = []struct {
	name       string
	data, path bool
}{{"uniform", false, false}, {"path", false, true}, {"data", true, false}, {"joint", true, true}}

// write writes the supernet, the metrics and the page.
func (c NASTrainConfig) write(ctx context.Context, s *supernet, r *NASTrainReport) error {
	file, err := s.n.File()
	if err != nil {
		return err
	}
	if err := file.WriteFile(r.Out, onnx.WriteOptions{Force: true}); err != nil {
		return err
	}
	if r.Verify, err = s.verifySupernet(ctx, r.Out); err != nil {
		return err
	}
	if err := WriteFile(c.file(metricsCSV), r.metrics); err != nil {
		return err
	}
	if err := WriteFile(r.Report, r.page().Write); err != nil {
		return err
	}
	if !r.Verify.Pass {
		return &NoError{"the written supernet does not give the scores of its paths"}
	}
	return nil
}

// metrics writes the epochs as csv.
func (r *NASTrainReport) metrics(w io.Writer) error {
	t := csv.NewWriter(w)
	head := []string{"epoch", "step", "lr", "train_loss", "train_accuracy"}
	for _, o := range r.Operators {
		head = append(head, "path."+o.Name)
	}
	t.Write(head)
	num := func(v Number) string { return strconv.FormatFloat(float64(v), 'g', -1, 64) }
	for _, h := range r.History {
		row := []string{strconv.Itoa(h.Epoch), strconv.Itoa(h.Step), num(h.LR), num(h.TrainLoss), num(h.TrainAccuracy)}
		for _, o := range r.Operators {
			row = append(row, num(h.Measures["path."+o.Name]))
		}
		t.Write(row)
	}
	t.Flush()
	return t.Error()
}

// countOf is a number of architectures for people.
func countOf(n float64) string {
	if n < 1e7 {
		return strconv.Itoa(int(n))
	}
	return strconv.FormatFloat(n, 'g', 3, 64)
}
