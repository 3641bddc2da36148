package cli

import (
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// unfreezeFlags say which layers are trained when, and what is done to batch normalisation behind that.
func unfreezeFlags() []ucli.Flag {
	const group = "training"
	return []ucli.Flag{
		&ucli.IntFlag{Name: "unfreeze-every", Category: group,
			Usage: "train the last layer at first, and those before it one after another, the next after so many `EPOCHS` " +
				"(https://arxiv.org/abs/1801.06146)"},
		&ucli.IntFlag{Name: "unfreeze-layers", Category: group, Value: 1, Usage: "with --unfreeze-every: so many layers at a time"},
		&ucli.BoolFlag{Name: "bn-reestimate", Category: group,
			Usage: "after training, statistics of batch normalisation anew over all training data (https://arxiv.org/abs/2105.07576)"},
	}
}

// setUnfreeze reads unfreezeFlags.
func setUnfreeze(c *ucli.Context, cfg *job.FinetuneConfig) error {
	cfg.UnfreezeEvery, cfg.BNEstimate = c.Int("unfreeze-every"), c.Bool("bn-reestimate")
	switch {
	case c.IsSet("unfreeze-every") && cfg.UnfreezeEvery < 1:
		return usagef("--unfreeze-every %d: want a number of epochs", cfg.UnfreezeEvery)
	case c.IsSet("unfreeze-layers") && cfg.UnfreezeEvery == 0:
		return usagef("--unfreeze-layers goes with --unfreeze-every EPOCHS")
	case c.Int("unfreeze-layers") < 1:
		return usagef("--unfreeze-layers %d: want a number of layers", c.Int("unfreeze-layers"))
	case cfg.UnfreezeEvery > 0:
		cfg.UnfreezeLayers = c.Int("unfreeze-layers")
	}
	return nil
}
