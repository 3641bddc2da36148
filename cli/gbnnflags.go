package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// gbnnFlags are the options of --method gbnn.
func gbnnFlags() []ucli.Flag {
	const group = "gbnn"
	return []ucli.Flag{
		&ucli.IntFlag{Name: "gbnn-units", Category: group, Value: 200,
			Usage: "sigmoid units of the hidden layer that is boosted (https://arxiv.org/abs/1909.12098)"},
		&ucli.IntFlag{Name: "gbnn-step", Category: group, Value: 1, Usage: "units that are trained together, in one step"},
		&ucli.Float64Flag{Name: "gbnn-eta", Category: group, Value: 1, Usage: "shrinks each step"},
		&ucli.Float64Flag{Name: "gbnn-subsample", Category: group, Value: 0.5, Usage: "`SHARE` of the examples that a step sees"},
		&ucli.IntFlag{Name: "gbnn-iters", Category: group, Value: 200, Usage: "of L-BFGS in a step, at most"},
		&ucli.Float64Flag{Name: "gbnn-alpha", Category: group, Value: 1e-4, Usage: "of the penalty on the weights of a step; 0 for none"},
		&ucli.StringFlag{Name: "gbnn-features", Category: group, DefaultText: "what the last layer reads",
			Usage: "`VALUE` of the model that the units read"},
	}
}

// Flags that say how gradients are followed, by their groups, are not for boosting, but for some.
var (
	ofGradients = []string{"training", "optimiser", "growing batches", "LoRA", "TrAct", "distillation"}
	boostedToo  = []string{"method", "num-classes", "standardise", "standardise-targets", "max-steps", "patience", "min-delta"}
)

// setGBNN reads gbnnFlags; it refuses what a Config takes for the usual.
func setGBNN(c *ucli.Context, cfg *job.FinetuneConfig) error {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		group, ok := f.(ucli.CategorizableFlag)
		if ok && slices.Contains(ofGradients, group.GetCategory()) && !slices.Contains(boostedToo, name) && c.IsSet(name) {
			if name == "epochs" {
				return usagef("--epochs belongs to --method %s: a training by --method %s is as long as --gbnn-units says, and gtk sweep --search "+
					"halving, which is by epochs, is not for it: take random or grid", job.Backprop, job.GBNNMethod)
			}
			from := ""
			if v := os.Getenv("GTK_OPTIMIZER"); name == "optimizer" && v != "" {
				from = fmt.Sprintf(" (GTK_OPTIMIZER in the environment is %s: unset it)", v)
			}
			return usagef("--%s belongs to --method %s%s; --method %s has --gbnn-units, --gbnn-eta and the like", name, job.Backprop, from,
				job.GBNNMethod)
		}
	}
	g := &job.GBNN{
		Units: c.Int("gbnn-units"), Step: c.Int("gbnn-step"), Eta: c.Float64("gbnn-eta"), Subsample: c.Float64("gbnn-subsample"),
		Iters: c.Int("gbnn-iters"), Alpha: c.Float64("gbnn-alpha"), Features: c.String("gbnn-features"),
	}
	switch {
	case g.Units == 0, g.Step == 0, g.Iters == 0:
		return usagef("--gbnn-units %d --gbnn-step %d --gbnn-iters %d: want at least 1", g.Units, g.Step, g.Iters)
	case g.Eta == 0 || g.Subsample == 0:
		return usagef("--gbnn-eta %v --gbnn-subsample %v: want numbers above 0", g.Eta, g.Subsample)
	case g.Alpha < 0:
		return usagef("--gbnn-alpha %v: want a number of at least 0", g.Alpha)
	case g.Alpha == 0:
		g.Alpha = -1
	}
	cfg.GBNN = g
	return nil
}
