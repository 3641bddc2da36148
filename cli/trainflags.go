package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	ucli "github.com/urfave/cli/v2"
)

// optimizerFlags are the optimiser, its options by the names that package optim gives them, and the learning rate.
func optimizerFlags() []ucli.Flag {
	const group = "optimiser"
	fs := []ucli.Flag{
		&ucli.StringFlag{Name: "optimizer", Category: group, Value: "adam", Usage: "`NAME`: " + ruleNames() + " (see --list)",
			EnvVars: []string{"GTK_OPTIMIZER"}},
		&ucli.Float64Flag{Name: "lr", Category: group,
			Usage: "learning rate; 0 takes the optimiser's usual one (see --list), ten times that, at most 1, with --last-layer"},
		&ucli.StringFlag{Name: "schedule", Category: group, DefaultText: "cosine, or what the optimiser wants (see --list)",
			Usage: "`NAME` with options behind colons, as in step:every=30epochs:gamma=0.1 (see --list)"},
		&ucli.StringFlag{Name: "warmup", Category: group,
			Usage: "`LENGTH` of the linear rise of the learning rate at the start: 500 (steps), 1epoch, 10000samples, 3%"},
	}
	for _, o := range optim.Options() {
		if o.Bool {
			fs = append(fs, &ucli.BoolFlag{Name: o.Name, Category: group, Usage: o.Usage()})
			continue
		}
		fs = append(fs, &ucli.StringFlag{Name: o.Name, Category: group, Usage: o.Usage(), DefaultText: "the optimiser's own"})
	}
	return fs
}

// ruleNames lists the optimisers.
func ruleNames() string {
	var s []string
	for name := range optim.Rules() {
		s = append(s, name)
	}
	return strings.Join(s, ", ")
}

// loopFlags say how a model goes through its data; bn is the default of --bn.
func loopFlags(bn string) []ucli.Flag {
	const group = "training"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "batch-size", Category: group, DefaultText: "32; ALL with lbfgs and gns", Usage: "examples in one step, or " +
			"ALL"},
		&ucli.IntFlag{Name: "micro-batch", Category: group, DefaultText: "whole batches", Usage: "put so many examples of a batch through the " +
			"model at a time and add up the gradients, where a batch does not fit into memory"},
		memoryLimitFlag(group),
		&ucli.StringFlag{Name: "loss", Category: group, Value: "auto",
			Usage: "`NAME` with options behind colons, as in cross-entropy:smoothing=0.1 (see --list); auto goes by the task"},
		&ucli.StringFlag{Name: "class-weights", Category: group,
			Usage: "weights of the classes in the cross-entropy: balanced, one for each as in `1,2,0.5`, or a file with one a line, " +
				"behind the names of the classes or in their order"},
		&ucli.Float64Flag{Name: "label-smoothing", Category: group,
			Usage: "`SHARE` of the truth that the cross-entropy spreads over all classes, in [0,1)"},
		&ucli.StringFlag{Name: "bn", Category: group, Value: bn, Usage: bnUsage(bn)},
		&ucli.BoolFlag{Name: "shuffle", Category: group, Value: true, Usage: "a new order in each epoch; --shuffle=false keeps that of " +
			"the data"},
		&ucli.StringFlag{Name: "sampler", Category: group, Value: "all",
			Usage: "what an epoch shows: all, each example once; balanced, each class equally often; importance, what had large gradients " +
				"more often"},
		&ucli.StringFlag{Name: "augment", Category: group, Usage: "random changes of the examples in this order, separated by commas, as in " +
			"`flip,crop=4,randaugment`; options behind colons (see --list; gtk data augment shows them)"},
		&ucli.StringSliceFlag{Name: "freeze", Category: group, Usage: "`GLOB` of parameters to leave as they are; may be repeated"},
		&ucli.StringSliceFlag{Name: "trainable", Category: group, Usage: "`GLOB` of tensors to train beside those that are found to be " +
			"learned " +
			"(gtk inspect lists both), even with --freeze or --last-layer; may be repeated"},
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

// updateOptions reads the flags of optimizerFlags and loopFlags but --batch-size.
func updateOptions(c *ucli.Context) job.TrainOptions {
	o := job.TrainOptions{
		Optimizer: c.String("optimizer"), Rule: map[string]string{}, LR: c.Float64("lr"), Schedule: c.String("schedule"),
		Warmup: c.String("warmup"),
		Loss:   c.String("loss"), ClassWeights: c.String("class-weights"), LabelSmoothing: c.Float64("label-smoothing"),
		BN:        c.String("bn"),
		KeepOrder: !c.Bool("shuffle"), Sampler: samplerOf(c), Augment: c.String("augment"), Freeze: c.StringSlice("freeze"),
		Trainable: c.StringSlice("trainable"),
		LastLayer: c.Bool("last-layer"), Dropout: c.Bool("dropout"), NoDecay1D: c.Bool("no-decay-1d"),
	}
	for _, x := range optim.Options() {
		switch {
		case !c.IsSet(x.Name):
		case x.Bool:
			o.Rule[x.Name] = strconv.FormatBool(c.Bool(x.Name))
		default:
			o.Rule[x.Name] = c.String(x.Name)
		}
	}
	return o
}

// samplerOf is the flag --sampler, "" for the usual.
func samplerOf(c *ucli.Context) string {
	if s := c.String("sampler"); s != "all" {
		return s
	}
	return ""
}

// trainOptions reads the flags of optimizerFlags and loopFlags.
func trainOptions(c *ucli.Context) (job.TrainOptions, error) {
	o := updateOptions(c)
	if o.MicroBatch = c.Int("micro-batch"); c.IsSet("micro-batch") && o.MicroBatch < 1 {
		return o, usagef("--micro-batch %d: want a number of examples", o.MicroBatch)
	}
	var err error
	if o.MemoryLimit, err = memoryLimit(c); err != nil {
		return o, err
	}
	s := c.String("batch-size")
	if s == "" && !c.IsSet("batch-size") {
		return o, nil
	}
	if strings.EqualFold(s, "all") {
		o.BatchSize = job.All
		return o, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return o, usagef("--batch-size %q: want a number of examples, or ALL", s)
	}
	o.BatchSize = n
	return o, nil
}

// wants names the schedule that an optimiser wants.
func wants(i optim.Info) string {
	if i.Schedule == "" {
		return ""
	}
	return ", schedule " + i.Schedule
}

// trainingList is what --list of the training commands prints.
func trainingList() []listed {
	var rows []listed
	for n, i := range optim.Rules() {
		rows = append(rows, listed{"optimizer " + n, i.Doc + fmt.Sprintf("; usual rate %g", i.LR) + wants(i), i.Source})
	}
	for _, o := range optim.Options() {
		values := cmp.Or(strings.Join(o.Choices, ", "), o.Range)
		if o.Bool {
			values = "true, false"
		}
		rows = append(rows, listed{"option --" + o.Name, o.Usage(), values})
	}
	for n, i := range optim.Schedules() {
		doc := i.Doc
		for k, o := range i.Options() {
			doc += []string{"; ", ":"}[min(k, 1)] + o.Name + "=" + o.Default
		}
		rows = append(rows, listed{"schedule " + n, doc, i.Source})
	}
	for _, x := range task.Losses().Entries() {
		rows = append(rows, listed{"loss " + x.Name, x.Doc, x.Source})
	}
	for _, x := range task.Objectives().Entries() {
		doc := x.Doc
		for k, o := range task.ObjectiveOptions(x.Name) {
			doc += []string{"; ", ":"}[min(k, 1)] + o.Name + "=" + o.Default
		}
		rows = append(rows, listed{"objective " + x.Name, doc, x.Source})
	}
	for _, x := range denoise.Objectives().Entries() {
		doc := x.Doc
		for k, o := range denoise.ObjectiveOptions(x.Name) {
			doc += []string{"; ", ":"}[min(k, 1)] + o.Name + "=" + o.Default
		}
		rows = append(rows, listed{"objective " + x.Name, doc, x.Source})
	}
	for _, x := range denoise.Families().Entries() {
		rows = append(rows, listed{"noise " + x.Name, x.Doc, x.Source})
	}
	return append(rows, augmentList()...)
}

// augmentList is the part of --list about augmentations.
func augmentList() []listed {
	var rows []listed
	for _, x := range data.Augmentations().Entries() {
		doc := x.Doc
		for k, o := range data.AugmentOptions(x.Name) {
			doc += []string{"; ", ":"}[min(k, 1)] + o.Name + "=" + o.Default
		}
		rows = append(rows, listed{"augment " + x.Name, doc, x.Source})
	}
	return rows
}
