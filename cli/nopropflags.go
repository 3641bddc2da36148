package cli

import (
	"math"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/train"
	ucli "github.com/urfave/cli/v2"
)

// nopropFlags are the options of --method noprop.
func nopropFlags() []ucli.Flag {
	const group = "noprop"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "noprop-variant", Category: group, Value: train.NoPropVariants[0],
			Usage: "`NAME`: dt (a block for each step), ct (one block for all times), fm (one block, flow matching) " +
				"(https://arxiv.org/abs/2503.24322)"},
		&ucli.IntFlag{Name: "noprop-steps", Category: group, Value: 10, Usage: "of the chain that is written: the blocks of dt"},
		&ucli.Float64Flag{Name: "noprop-eta", Category: group, DefaultText: "0.1 for dt, 1 for ct", Usage: "weight of the squared errors"},
		&ucli.StringFlag{Name: "label-embedding", Category: group, Value: "onehot",
			Usage: "what the noise is taken off: onehot, or learned:D for D numbers that are learned"},
		&ucli.StringFlag{Name: "snr-cap", Category: group, Value: "100", Usage: "bounds the weight of a step by what it adds to the " +
			"signal-to-noise ratio; inf does not"},
		&ucli.StringFlag{Name: "noprop-schedule", Category: group, DefaultText: "the first of the variant",
			Usage: "noise over time: cosine (dt), linear or learned (ct)"},
		&ucli.IntFlag{Name: "noprop-hidden", Category: group, Value: 256, Usage: "width of a block"},
		&ucli.IntFlag{Name: "noprop-workers", Category: group, DefaultText: "one for each thread",
			Usage: "blocks that are trained at a time; the result is the same"},
		&ucli.StringFlag{Name: "noprop-features", Category: group, DefaultText: "what the last layer reads",
			Usage: "`VALUE` of the model that the blocks read; the name of its input for blocks on the data"},
		&ucli.BoolFlag{Name: "noprop-compare", Category: group, Value: true,
			Usage: "train the same chain by backpropagation too, where there are validation data, and report both"},
	}
}

// setNoProp reads nopropFlags; it refuses what a Config takes for the usual.
func setNoProp(c *ucli.Context, cfg *job.FinetuneConfig) error {
	p := &job.NoProp{Features: c.String("noprop-features"), Compare: c.Bool("noprop-compare")}
	p.Variant, p.Steps, p.Eta = c.String("noprop-variant"), c.Int("noprop-steps"), c.Float64("noprop-eta")
	p.Schedule, p.Hidden, p.Workers = c.String("noprop-schedule"), c.Int("noprop-hidden"), c.Int("noprop-workers")
	switch {
	case p.Steps == 0:
		return usagef("--noprop-steps 0: want at least 1")
	case p.Hidden == 0:
		return usagef("--noprop-hidden 0: want at least 2")
	case p.Eta == 0 && c.IsSet("noprop-eta"):
		return usagef("--noprop-eta 0: want a positive number")
	case p.Variant == train.NoPropFM && c.IsSet("noprop-eta"):
		return usagef("--noprop-eta belongs to the variants dt and ct: fm has one squared error and no other beside it")
	case p.Variant == train.NoPropFM && c.IsSet("snr-cap"):
		return usagef("--snr-cap belongs to the variants dt and ct: fm weighs all times alike")
	case p.Variant != train.NoPropDT && c.IsSet("noprop-workers"):
		return usagef("--noprop-workers belongs to the variant dt: %s has one block", p.Variant)
	case c.Bool("noprop-compare") && c.IsSet("noprop-compare") && cfg.Val == "" && cfg.ValSplit == 0:
		return usagef("--noprop-compare is on the validation data: give --val or --val-split")
	case c.IsSet("bn"):
		return usagef("--bn belongs to --method %s: the blocks of dt always normalise by their batches, and the model before them stays as it is",
			job.Backprop)
	}
	snr, err := strconv.ParseFloat(c.String("snr-cap"), 64)
	if err != nil || !(snr > 0) || math.IsInf(snr, -1) {
		return usagef("--snr-cap %q: want a positive number, or inf", c.String("snr-cap"))
	}
	p.Cap = snr
	how, n, _ := strings.Cut(c.String("label-embedding"), ":")
	switch d, err := strconv.Atoi(n); {
	case how == "onehot" && n == "":
	case how == "learned" && err == nil && d > 0:
		p.Learned = d
	default:
		return usagef("--label-embedding %q: want onehot, or learned:D for D numbers, such as learned:20", c.String("label-embedding"))
	}
	cfg.NoProp = p
	return nil
}

// printNoProp says how the blocks compare.
func (e *env) printNoProp(r *job.NoPropReport) {
	if r.NoProp.Val == nil {
		e.printf("give --val or --val-split to see the accuracy, and that of the same chain trained by backpropagation\n")
		return
	}
	e.printf("accuracy %s block by block in %.1f s, %s begun at noise (%d draws)", job.MetricText("accuracy", float64(r.NoProp.Val.Accuracy)),
		r.NoProp.Seconds, job.MetricText("accuracy", float64(r.Mean)), len(r.Sampled))
	if b := r.Backprop; b != nil {
		e.printf("; %s by backpropagation through the same chain in %.1f s", job.MetricText("accuracy", float64(b.Val.Accuracy)), b.Seconds)
	}
	e.printf("\n")
}
