package cli

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("lr-find", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "lr-find", Usage: "look for a learning rate", ArgsUsage: "MODEL --data SPEC [-o FOLDER]",
			Description: "A range test (Smith 2015, https://arxiv.org/abs/1506.01186): trains a copy of the model in memory with a\n" +
				"learning rate that grows exponentially from step to step, until the loss explodes, and suggests the rate at which the\n" +
				"smoothed loss falls fastest. The model is not changed.\n\n" +
				"  gtk lr-find model.onnx --data imagefolder:photos --num-classes auto --optimizer diffgrad -o lr\n\n" +
				"Give the flags that gtk finetune will get: the best rate depends on the optimiser, the batch size and what is trained.",
			Flags: slices.Concat([]ucli.Flag{
				dataFlag(),
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for report.html and curve.csv"},
				&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty"},
				&ucli.BoolFlag{Name: "list", Usage: "list optimisers and losses"},
				&ucli.Float64Flag{Name: "from", Category: "range", Value: 1e-7, Usage: "learning rate of the first step"},
				&ucli.Float64Flag{Name: "to", Category: "range", Value: 10, Usage: "learning rate of the last step"},
				&ucli.IntFlag{Name: "steps", Category: "range", Value: 100, Usage: "how many rates are tried"},
			}, loraFlags()[:3], distillFlags(), headFlags(), loopFlags("frozen"),
				rateless(optimizerFlags(), "lr", "schedule", "warmup"), dataFlags(), useFlags(), preprocessFlags()),
		}, runLRFind)
	})
}

// rateless are the flags of an optimiser without those of its rate that are named.
func rateless(fs []ucli.Flag, names ...string) []ucli.Flag {
	return slices.DeleteFunc(fs, func(f ucli.Flag) bool { return slices.Contains(names, f.Names()[0]) })
}

func runLRFind(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(trainingList())
	}
	path, err := oneArg(c, "the model")
	if err != nil {
		return err
	}
	cfg := job.LRFindConfig{
		Model: path, ModelOptions: e.modelOptions(c), Data: c.String("data"), DataOptions: dataOptions(c),
		NumClasses:  c.String("num-classes"),
		Standardise: c.Bool("standardise"), StandardiseTargets: c.Bool("standardise-targets"), From: c.Float64("from"),
		To: c.Float64("to"), Steps: c.Int("steps"),
		Out: c.String("out"), Force: c.Bool("force"), Seed: e.Seed,
	}
	switch {
	case cfg.Data == "":
		return usagef("gtk lr-find: --data is missing; see gtk data --list")
	case !(cfg.From > 0) || !(cfg.To > 0):
		return usagef("--from %v --to %v: want learning rates, the smaller first", cfg.From, cfg.To)
	case cfg.Steps == 0:
		return usagef("--steps 0: want at least 10")
	}
	if cfg.LoRA, err = loraOptions(c); err != nil {
		return err
	}
	if cfg.Distill, err = distillOptions(c); err != nil {
		return err
	}
	if cfg.UseOptions, err = useOptions(c); err != nil {
		return err
	}
	if cfg.TrainOptions, err = trainOptions(c); err != nil {
		return err
	}
	if cfg.Replay, err = resolvedConfig(c); err != nil {
		return err
	}
	r, err := job.LRFind(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	e.printRange(r)
	return nil
}

// printRange says what a range test found.
func (e *env) printRange(r *job.LRFindReport) {
	first, last := r.Curve[0], r.Curve[len(r.Curve)-1]
	e.printf("loss %s  lr %.2g to %.2g, %s of %s with %s\n", sparkline(r), first.LR, last.LR, units.Plural(len(r.Curve), "step"),
		units.Plural(r.BatchSize, "example"), r.Optimizer)
	if r.Clear {
		e.printf("the loss falls fastest at %.2g and is lowest at %.2g", float64(r.Suggested), float64(r.Lowest))
		if !math.IsNaN(float64(r.Rises)) {
			e.printf("; it rises from %.2g on", float64(r.Rises))
		}
		e.printf("\n")
	}
	if s := float64(r.Suggested); !math.IsNaN(s) {
		e.printf("suggested: --lr %.2g\n", s)
	}
	if r.Report != "" {
		e.printf("report: %s, numbers: %s\n", r.Report, filepath.Join(r.Out, "curve.csv"))
	}
}

// sparkline draws the smoothed losses in one line; what lies above the first one is cut.
func sparkline(r *job.LRFindReport) string {
	curve := r.Curve
	const width = 40
	blocks := []rune("▁▂▃▄▅▆▇█")
	var picked []float64
	low, high := math.Inf(1), float64(curve[0].Smoothed)
	for i := range min(width, len(curve)) {
		v := float64(curve[i*len(curve)/min(width, len(curve))].Smoothed)
		picked, low = append(picked, v), min(low, v)
	}
	if !r.Clear || high <= low { // it only rises
		high = low + 0.5*math.Abs(low)
	}
	var b strings.Builder
	for _, v := range picked {
		at := (v - low) / max(high-low, 1e-300) * float64(len(blocks)-2)
		b.WriteRune(blocks[int(min(max(at, 0)+0.5, float64(len(blocks)-1)))])
	}
	return b.String()
}
