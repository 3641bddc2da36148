package job

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
)

// All is the TrainOptions.BatchSize of a batch of all examples.
const All = -1

// TrainOptions say how a model is trained. The zero value is Adam at its usual rate, with a cosine schedule, in batches of 32 and a new
// order in each epoch.
type TrainOptions struct {
	Optimizer string            // name of a rule of package optim; "" means adam
	Rule      map[string]string // options of the rule, by the names of optim.Options
	LR        float64           // learning rate; 0 means the rule's usual one, ten times that, at most 1, with LastLayer
	Schedule  string            // NAME:OPTION=VALUE… of optim.NewSchedule; "" means cosine, or what the rule wants
	Warmup    string            // length of the linear rise of the learning rate at the start: 500 (steps), 1epoch, 3%; "" means none
	BatchSize int               // examples in one step; 0 means 32, or All for a rule of full batches; All all of them
	// MicroBatch has a batch go through the model in parts of so many examples at most, whose gradients are added up; 0 means whole.
	MicroBatch int
	// MemoryLimit is how many bytes a step may plan for values at most: what does not fit is computed again in the backward pass, with the
	// same results; 0 means any.
	MemoryLimit int64
	Loss        string // NAME:OPTION=VALUE… of task.Losses; "" or auto go by the task
	// ClassWeights are the weights of the classes in the cross-entropy: 1,2,0.5, or balanced, or a file (see --class-weights); LabelSmoothing
	// is its share of the truth that is spread over all classes. They stand for options of Loss; "" and 0 mean none.
	ClassWeights   string
	LabelSmoothing float64
	// BN is frozen (batch normalisation by the model's statistics), train (by those of the batch), or auto (train when they were never
	// trained); "" means frozen for Finetune, and auto where scores are made.
	BN        string
	KeepOrder bool     // of the data, in each epoch
	Sampler   string   // balanced shows each class equally often, importance what had large gradients; "" or all shows each example once
	Augment   string   // random changes of pictures: flip, crop=4, resized=0.08:1, separated by commas
	Freeze    []string // globs of parameters to leave as they are
	Trainable []string // globs of tensors that are trained beside those that are found to be learned, whatever Freeze and LastLayer say
	LastLayer bool     // train the last layer only
	Dropout   bool     // apply the model's Dropout while training
	NoDecay1D bool     // no weight decay on biases and normalisation

	Importance *Importance // with Sampler importance; nil means the usual
}

// optimizer makes the rule and the schedule; lr is the learning rate that is taken.
func (o TrainOptions) optimizer() (opt *optim.Optimizer, schedule optim.Schedule, lr float64, err error) {
	name := cmp.Or(o.Optimizer, "adam")
	info, err := optim.Lookup(name)
	if err != nil {
		return nil, nil, 0, usagef("--optimizer: %v", err)
	}
	var cfg optim.Config
	known := map[string]bool{}
	for _, x := range optim.Options() {
		known[x.Name] = true
		v, given := o.Rule[x.Name]
		// No momentum is what every rule without momentum has.
		if !given || x.Name == "momentum" && !info.Takes("momentum") && isZero(v) {
			continue
		}
		if err := cfg.Set(x.Name, v); err != nil {
			return nil, nil, 0, usagef("--%s: %v", x.Name, err)
		}
	}
	for n := range o.Rule {
		if !known[n] {
			return nil, nil, 0, usagef("no optimiser has an option %q", n)
		}
	}
	if opt, err = optim.New(name, cfg); err != nil {
		return nil, nil, 0, usagef("--optimizer: %v", err)
	}
	lr = o.LR
	switch {
	case lr < 0 || math.IsNaN(lr) || math.IsInf(lr, 0):
		return nil, nil, 0, usagef("--lr %v: want a positive number", lr)
	case info.OwnLength && (lr != 0 && lr != info.LR || cmp.Or(o.Schedule, "constant") != "constant" || o.Warmup != ""):
		return nil, nil, 0, usagef("--optimizer %s finds the length of its steps itself: leave out --lr, --schedule and --warmup", name)
	case lr == 0:
		if lr = info.LR; o.LastLayer { // a rate of 1 multiplies what the rule finds itself
			lr = max(lr, min(10*lr, 1))
		}
	}
	schedule, err = optim.NewSchedule(cmp.Or(o.Schedule, info.Schedule, "cosine"), optim.ScheduleConfig{LR: lr, Warmup: o.Warmup})
	if err != nil {
		return nil, nil, 0, usagef("--schedule, --warmup: %v", err)
	}
	return opt, schedule, lr, nil
}

// loss is the specification of the loss with class weights and label smoothing in it, for those classes.
func (o TrainOptions) loss(classes []string) (string, error) {
	var err error
	if o.ClassWeights, err = classWeights(o.ClassWeights, classes); err != nil {
		return "", err
	}
	spec := cmp.Or(o.Loss, "auto")
	for _, x := range []struct{ flag, option, value string }{
		{"class-weights", "weights", o.ClassWeights}, {"label-smoothing", "smoothing", strconv.FormatFloat(o.LabelSmoothing, 'g', -1, 64)},
	} {
		if x.value == "" || x.value == "0" {
			continue
		}
		if spec == "auto" {
			spec = "cross-entropy"
		}
		name, pairs, err := options.Split(spec)
		switch {
		case err != nil:
			return "", usagef("--loss: %v", err)
		case name != "cross-entropy" && name != "ce":
			return "", usagef("--%s belongs to the cross-entropy, and the loss is %s", x.flag, name)
		case slices.ContainsFunc(pairs, func(p [2]string) bool { return p[0] == x.option }):
			return "", usagef("--%s and %s in --loss say the same: leave one out", x.flag, x.option)
		}
		spec += ":" + x.option + "=" + x.value
	}
	return spec, nil
}

func isZero(s string) bool {
	v, err := strconv.ParseFloat(s, 64)
	return err == nil && v == 0
}

// config is the configuration of a training of m; bn is the usual BN. lr is the learning rate that is taken.
func (o TrainOptions) config(m *engine.Model, bn string, seed uint64) (cfg train.Config, lr float64, err error) {
	if cfg.Optimizer, cfg.Schedule, lr, err = o.optimizer(); err != nil {
		return cfg, 0, err
	}
	usual := 32
	if info, err := optim.Lookup(cmp.Or(o.Optimizer, "adam")); err == nil && info.FullBatch {
		usual = All
	}
	if cfg.BatchSize = cmp.Or(o.BatchSize, usual); cfg.BatchSize < All {
		return cfg, 0, usagef("--batch-size %d: want a number of examples, or ALL", o.BatchSize)
	}
	cfg.MicroBatch, cfg.Memory = o.MicroBatch, int(o.MemoryLimit)
	if cfg.Augment, err = data.ParseAugment(o.Augment); err != nil {
		return cfg, 0, usagef("--augment: %v", err)
	}
	if cfg.Params, err = train.Select(m, o.Freeze, o.LastLayer, o.Trainable...); err != nil {
		if len(o.Freeze)+len(o.Trainable) == 0 {
			return cfg, 0, badInput(err)
		}
		return cfg, 0, usagef("%v", err)
	}
	switch bn := cmp.Or(o.BN, bn); {
	case bn == "train", bn == "auto" && train.FreshBatchNorm(m):
		cfg.BN = engine.BNTrain
	case bn == "frozen", bn == "auto":
	default:
		return cfg, 0, usagef("--bn %q: want frozen or train", bn)
	}
	switch o.Sampler {
	case "", "all":
	case "balanced":
		cfg.Balanced = true
	case "importance":
		cfg.Importance = o.Importance.config()
	default:
		return cfg, 0, usagef("--sampler %q: want all, balanced or importance", o.Sampler)
	}
	if err := o.mayEvaluate(&cfg); err != nil {
		return cfg, 0, err
	}
	if err := (train.Config{MicroBatch: o.MicroBatch, BN: cfg.BN}).CheckBatches(0); err != nil {
		return cfg, 0, usagef("%v", err)
	}
	cfg.Shuffle, cfg.Dropout, cfg.NoDecay1D, cfg.Seed = !o.KeepOrder, o.Dropout, o.NoDecay1D, seed
	return cfg, lr, nil
}

// fitStage trains as a stage of the job, without a report of the epochs.
func fitStage(ctx context.Context, m *engine.Model, ds data.Dataset, cfg train.Config, what string, rep Reporter) (*train.Result, error) {
	stage := rep.Stage(what, cfg.Steps(ds.Len()))
	defer stage.End()
	cfg.Step = func(p train.Progress) error {
		stage.Step(p)
		return nil
	}
	return train.Fit(ctx, m, ds, cfg)
}
