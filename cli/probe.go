package cli

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/probe"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("probe", func() *ucli.Command {
		sharpness := command(&ucli.Command{
			Name: "sharpness", Usage: "measure how the loss curves along the steps of optimisers", ArgsUsage: "MODEL --data SPEC [-o FOLDER]",
			Description: "Directional sharpness, vᵀHv/‖v‖², of the step v that each optimiser would take next (Pan and Li 2023,\n" +
				"https://arxiv.org/abs/2306.00204), with slope, best step, predicted and measured decrease, and the largest curvature in any\n" +
				"direction. The optimisers see the gradients of one training of a copy in memory. The model is not changed.\n\n" +
				"  gtk probe sharpness model.onnx --data imagefolder:photos --along sgd,adam,sign,clip:0.1 -o sharpness\n" +
				"  gtk probe sharpness model.onnx --data digits --warm 5,20,60 --optimizer sgd --lr 0.1",
			Flags: slices.Concat([]ucli.Flag{
				dataFlag(),
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for report.html and curves.csv, or FILE.html"},
				&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty, or replace the file"},
				&ucli.BoolFlag{Name: "list", Usage: "list directions, optimisers and losses"},
				&ucli.StringFlag{Name: "along", Category: "sharpness", Value: strings.Join(job.DefaultAlong, ","),
					Usage: "`NAMES` of directions with commas between, with options behind colons, as in clip:0.1 (see --list)"},
				&ucli.StringFlag{Name: "warm", Category: "sharpness", Value: "20",
					Usage: "`STEPS` of training before the measurement; several, as in 5,20,60, measure on the way; 0 measures the model as it is"},
				&ucli.IntFlag{Name: "batches", Category: "sharpness", Value: 4, Usage: "batches that the loss is the mean over"},
				&ucli.StringFlag{Name: "hessian", Category: "sharpness", Value: "auto",
					Usage: "products with the Hessian: exact, from differences of gradients, or auto: exact where operators allow it"},
				&ucli.IntFlag{Name: "lanczos", Category: "sharpness", Value: 40,
					Usage: "most products for the largest curvature; 0 leaves it out"},
			}, headFlags(), loopFlags("frozen"), rateless(optimizerFlags(), "schedule", "warmup"), dataFlags(), useFlags(), preprocessFlags()),
		}, runSharpness)
		top := command(&ucli.Command{
			Name: "probe", Usage: "measure the loss around the weights of a model", ArgsUsage: "sharpness MODEL --data SPEC",
			Description: "gtk probe sharpness: how the loss curves along the steps that optimisers would take.",
			Flags:       []ucli.Flag{&ucli.BoolFlag{Name: "list", Usage: "list directions"}},
		}, func(_ context.Context, e *env, c *ucli.Context) error {
			switch {
			case c.Bool("list"):
				return e.list(listOf(probe.Rules().Entries()))
			case c.Args().Len() == 0:
				return usagef("gtk probe: what is to be measured is missing: gtk probe sharpness MODEL --data SPEC")
			}
			return noCommand("probe "+c.Args().First(), "probe sharpness")
		})
		top.OnUsageError = func(_ *ucli.Context, err error, _ bool) error { // a flag of what is measured
			return usagef("gtk probe: %v: what is to be measured comes first, as in gtk probe sharpness MODEL --data SPEC", err)
		}
		top.Subcommands = []*ucli.Command{sharpness}
		return top
	})
}

func runSharpness(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		rows := listOf(probe.Rules().Entries())
		for i := range rows {
			rows[i].Name = "direction " + rows[i].Name
		}
		return e.list(append(rows, trainingList()...))
	}
	path, err := oneArg(c, "the model")
	if err != nil {
		return err
	}
	cfg := job.SharpnessConfig{
		Model: path, ModelOptions: e.modelOptions(c), Data: c.String("data"), DataOptions: dataOptions(c),
		NumClasses:  c.String("num-classes"),
		Standardise: c.Bool("standardise"), StandardiseTargets: c.Bool("standardise-targets"),
		Along: strings.Split(c.String("along"), ","), Batches: c.Int("batches"), Hessian: c.String("hessian"), Lanczos: c.Int("lanczos"),
		Out: c.String("out"), Force: c.Bool("force"), Seed: e.Seed,
	}
	for i, a := range cfg.Along {
		cfg.Along[i] = strings.TrimSpace(a)
	}
	switch {
	case cfg.Batches == 0:
		return usagef("--batches 0: want at least 1")
	case cfg.Lanczos < 0:
		return usagef("--lanczos %d: want a number of products, or 0", cfg.Lanczos)
	case cfg.Lanczos == 0:
		cfg.Lanczos = -1
	}
	for _, s := range strings.Split(c.String("warm"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			return usagef("--warm %q: want numbers of steps, as in 20 or 5,20,60", c.String("warm"))
		}
		cfg.Warm = append(cfg.Warm, n)
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
	r, err := job.Sharpness(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	return e.printSharpness(r)
}

// printSharpness writes r for people.
func (e *env) printSharpness(r *job.SharpnessReport) error {
	for _, p := range r.Points {
		e.printf("\nstep %d: loss %.5g, gradient %.3g", p.Step, p.Loss, p.GradientNorm)
		if l := float64(p.LambdaMax); !math.IsNaN(l) {
			is := "below"
			if p.Above {
				is = "above"
			}
			e.printf(", largest curvature %.4g ± %.1g (%s), %s 2/lr = %.4g", l, float64(p.LambdaMaxRes),
				units.Plural(p.LanczosSteps, "product"), is, float64(p.Limit))
		}
		e.printf("\n\n")
		t := e.newTable(1, 2, 3, 4, 5, 6, 7, 8)
		t.row("direction", "sharpness", "slope", "best step", "as --lr", "predicted", "measured", "top 1 %", "top 10 %")
		for _, d := range p.Directions {
			t.row(d.Name, short(d.Sharpness), short(d.Slope), short(float64(d.BestStep)), short(float64(d.BestRate)),
				short(float64(d.Predicted)), short(float64(d.Measured)), units.Percent(d.Top1), units.Percent(d.Top10))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if r.Report != "" {
		e.printf("\nreport: %s\n", r.Report)
	}
	return nil
}

// short is x to three digits, or a dash for none.
func short(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return fmt.Sprintf("%.3g", x)
}
