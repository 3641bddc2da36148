package cli

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
	ucli "github.com/urfave/cli/v2"
)

// optimizerFlags are the optimiser, its options by the names that package optim gives them, and the learning rate.
func optimizerFlags() []ucli.Flag {
	const group = "optimiser"
	fs := []ucli.Flag{
		&ucli.StringFlag{Name: "optimizer", Category: group, Value: "adam", Usage: "`NAME`: sgd, adam, adamw, diffgrad (see --list)", EnvVars: []string{"GTK_OPTIMIZER"}},
		&ucli.Float64Flag{Name: "lr", Category: group, Usage: "learning rate; 0 takes the optimiser's usual one (" + usualRates() + "), ten times that with --last-layer"},
		&ucli.StringFlag{Name: "schedule", Category: group, Value: "cosine", Usage: "cosine, step or constant"},
		&ucli.IntFlag{Name: "warmup", Category: group, Usage: "`STEPS` in which the learning rate rises linearly at the start"},
	}
	for _, o := range optim.Options() {
		if o.Bool {
			fs = append(fs, &ucli.BoolFlag{Name: o.Name, Category: group, Usage: o.Doc})
			continue
		}
		fs = append(fs, &ucli.StringFlag{Name: o.Name, Category: group, Usage: o.Doc, DefaultText: "the optimiser's own"})
	}
	return fs
}

// usualRates lists the learning rates that --lr 0 stands for.
func usualRates() string {
	var s []string
	for name, o := range optim.Rules() {
		s = append(s, fmt.Sprintf("%s %g", name, o.LR))
	}
	return strings.Join(s, ", ")
}

// newOptimizer makes the optimiser and the schedule of the flags.
func newOptimizer(c *ucli.Context) (*optim.Optimizer, optim.Schedule, float64, error) {
	name := c.String("optimizer")
	info, err := optim.Lookup(name)
	if err != nil {
		return nil, nil, 0, usagef("--optimizer: %v", err)
	}
	var cfg optim.Config
	for _, o := range optim.Options() {
		if !c.IsSet(o.Name) {
			continue
		}
		v := c.String(o.Name)
		if o.Bool {
			v = strconv.FormatBool(c.Bool(o.Name))
		}
		// No momentum is what every rule without momentum has.
		if o.Name == "momentum" && !slices.Contains(info.Options, "momentum") && isZero(v) {
			continue
		}
		if err := cfg.Set(o.Name, v); err != nil {
			return nil, nil, 0, usagef("--%s: %v", o.Name, err)
		}
	}
	opt, err := optim.New(name, cfg)
	if err != nil {
		return nil, nil, 0, usagef("--optimizer: %v", err)
	}
	lr := c.Float64("lr")
	switch {
	case lr < 0 || math.IsNaN(lr) || math.IsInf(lr, 0):
		return nil, nil, 0, usagef("--lr %v: want a positive number", lr)
	case lr == 0:
		lr = info.LR
		if c.Bool("last-layer") {
			lr *= 10
		}
	}
	schedule, err := optim.NewSchedule(c.String("schedule"), optim.ScheduleConfig{LR: lr, Warmup: c.Int("warmup")})
	if err != nil {
		return nil, nil, 0, usagef("--schedule: %v", err)
	}
	return opt, schedule, lr, nil
}

func isZero(s string) bool {
	v, err := strconv.ParseFloat(s, 64)
	return err == nil && v == 0
}

// loopFlags say how a model goes through its data; bn is the default of --bn.
func loopFlags(bn string) []ucli.Flag {
	const group = "training"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "batch-size", Category: group, Value: "32", Usage: "examples in one step, or ALL"},
		&ucli.StringFlag{Name: "loss", Category: group, Value: "auto", Usage: "cross-entropy or mse; auto goes by the data"},
		&ucli.StringFlag{Name: "bn", Category: group, Value: bn, Usage: bnUsage(bn)},
		&ucli.BoolFlag{Name: "shuffle", Category: group, Value: true, Usage: "a new order in each epoch; --shuffle=false keeps that of the data"},
		&ucli.StringFlag{Name: "augment", Category: group, Usage: "random changes of pictures: flip, crop=4, resized=0.08:1, separated by commas"},
		&ucli.StringSliceFlag{Name: "freeze", Category: group, Usage: "`GLOB` of parameters to leave as they are; may be repeated"},
		&ucli.BoolFlag{Name: "last-layer", Category: group, Usage: "train the last layer only"},
		&ucli.BoolFlag{Name: "dropout", Category: group, Usage: "apply the model's Dropout while training"},
		&ucli.BoolFlag{Name: "no-decay-1d", Category: group, Usage: "no weight decay on biases and normalisation"},
	}
}

func bnUsage(def string) string {
	s := "batch normalisation by the model's statistics (frozen) or those of the batch (train)"
	if def == "auto" {
		s += "; auto: train when they were never trained"
	}
	return s
}

// batchSize reads --batch-size; -1 is ALL.
func batchSize(c *ucli.Context) (int, error) {
	s := c.String("batch-size")
	if strings.EqualFold(s, "all") {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, usagef("--batch-size %q: want a number of examples, or ALL", s)
	}
	return n, nil
}

// loopConfig fills a training's configuration from the flags of optimizerFlags and loopFlags.
func (e *env) loopConfig(c *ucli.Context, m *engine.Model) (cfg train.Config, lr float64, err error) {
	if cfg.Optimizer, cfg.Schedule, lr, err = newOptimizer(c); err != nil {
		return cfg, 0, err
	}
	if cfg.BatchSize, err = batchSize(c); err != nil {
		return cfg, 0, err
	}
	if cfg.Augment, err = data.ParseAugment(c.String("augment")); err != nil {
		return cfg, 0, usagef("--augment: %v", err)
	}
	if name := c.String("loss"); name != "" && name != "auto" {
		if _, err := train.Losses().Lookup(name); err != nil {
			return cfg, 0, usagef("--loss: %v", err)
		}
	}
	if cfg.Params, err = train.Select(m, c.StringSlice("freeze"), c.Bool("last-layer")); err != nil {
		if !c.IsSet("freeze") {
			return cfg, 0, badInput(err)
		}
		return cfg, 0, usagef("%v", err)
	}
	fresh := train.FreshBatchNorm(m)
	switch bn := c.String("bn"); {
	case bn == "train", bn == "auto" && fresh:
		cfg.BN = engine.BNTrain
	case bn == "frozen", bn == "auto":
	default:
		return cfg, 0, usagef("--bn %q: want frozen or train", bn)
	}
	cfg.Loss, cfg.Shuffle, cfg.Dropout, cfg.NoDecay1D, cfg.Seed = c.String("loss"), c.Bool("shuffle"), c.Bool("dropout"), c.Bool("no-decay-1d"), e.Seed
	return cfg, lr, nil
}

// showSteps makes a training show its progress on bar.
func showSteps(bar *progress) func(train.Progress) error {
	return func(p train.Progress) error {
		note := fmt.Sprintf("epoch %d/%d loss %.4f", p.Epoch, p.Epochs, p.Loss)
		if !math.IsNaN(p.Accuracy) {
			note += fmt.Sprintf(" acc %.1f %%", 100*p.Accuracy)
		}
		note += fmt.Sprintf(" %.0f/s", p.SamplesPerSecond)
		if bar.mode == "plain" {
			note += " ETA " + p.ETA.Round(time.Second).String()
		}
		bar.set(p.Step, note)
		return nil
	}
}

// trainingList is what --list of the training commands prints.
func trainingList() []listed {
	var rows []listed
	for n, i := range optim.Rules() {
		rows = append(rows, listed{"optimizer " + n, i.Doc, i.Source})
	}
	for n, i := range optim.Schedules() {
		rows = append(rows, listed{"schedule " + n, i.Doc, i.Source})
	}
	for _, x := range train.Losses().Entries() {
		rows = append(rows, listed{"loss " + x.Name, x.Doc, x.Source})
	}
	return rows
}
