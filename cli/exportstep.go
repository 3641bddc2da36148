package cli

import (
	"os"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// notOfStep are the flags of a training that a step has nothing to do with.
var notOfStep = []string{"schedule", "warmup", "batch-size", "micro-batch", "memory-limit", "shuffle", "sampler", "augment", "dropout",
	"set"}

// stepFlags are the flags of gtk export --train-step, as gtk finetune has them.
func stepFlags() []ucli.Flag {
	fs := []ucli.Flag{
		&ucli.BoolFlag{Name: "train-step", Category: "training step",
			Usage: "write forward pass, loss, gradients and a step of an optimiser as one model that a runtime runs in a loop"},
		&ucli.StringFlag{Name: "initial", Category: "training step",
			Usage: "with --train-step: write what the first step begins with into a model `FILE` of its own and not as defaults of " +
				"inputs, for runtimes that take no other values for those (ONNX Runtime in JavaScript)"},
	}
	for _, f := range slices.Concat(optimizerFlags(), loopFlags("frozen"), meaningFlags()) {
		if !slices.Contains(notOfStep, f.Names()[0]) {
			fs = append(fs, f)
		}
	}
	return fs
}

// stepOptions reads stepFlags; nil without --train-step, where none of them may be given.
func stepOptions(c *ucli.Context) (*job.StepOptions, error) {
	if !c.Bool("train-step") {
		for _, f := range stepFlags() {
			name := f.Names()[0]
			if name == "train-step" || !c.IsSet(name) || name == "optimizer" && os.Getenv("GTK_OPTIMIZER") != "" {
				continue
			}
			return nil, usagef("--%s belongs to --train-step", name)
		}
		return nil, nil
	}
	return &job.StepOptions{TrainOptions: updateOptions(c), Task: c.String("task"), Output: c.String("output"),
		Initial: c.String("initial")}, nil
}

// printStep says what a training step takes and gives.
func (e *env) printStep(r *job.ExportReport) {
	s := r.Step
	truth := s.Labels + s.Target
	if s.Weight != "" {
		truth += " and " + s.Weight
	}
	e.printf("a step of %s on %s: takes the inputs of the model and %s, gives %s, %s and %s\n", s.Optimizer, s.LossName, truth, s.Loss,
		s.Output,
		units.Plural(len(s.Grads), "gradient"))
	e.printf("feed each of its %d outputs NAME:next back as NAME\n", len(s.Feedback))
	if r.Initial != "" {
		e.printf("%s gives what the first step begins with\n", r.Initial)
	}
	if len(s.Unused) > 0 {
		e.printf("the loss does not depend on %s, which stay as they are\n", strings.Join(s.Unused, ", "))
	}
	switch v := r.Verify; {
	case v.Note != "":
		e.printf("not compared: %s\n", v.Note)
	case v.Pass:
		e.printf("same loss, gradients and step as in the engine on made-up examples (largest difference %.3g)\n", float64(v.MaxAbs))
	default:
		e.printf("loss, gradients or step DIFFER from those of the engine by up to %.3g\n", float64(v.MaxAbs))
	}
}
