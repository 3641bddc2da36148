package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "finetune", Usage: "train a model on a data set", ArgsUsage: "MODEL --data SPEC [--val SPEC] -o OUT",
		Description: "Trains, writes the model with labels and preprocessing in its metadata, reads it back and compares.\n\n" +
			"  gtk finetune model.onnx --data imagefolder:photos --val-split 0.2 --num-classes auto --optimizer diffgrad -o out.onnx\n" +
			"  gtk finetune model.onnx --data imagefolder:photos --last-layer --epochs 3 -o out.onnx\n\n" +
			"With --optimizer sgd --lr 1 --schedule constant --epochs 1 --batch-size ALL --shuffle=false this is exactly one step along the gradient.\n" +
			"Ctrl-C saves a checkpoint (--checkpoint, or one beside the output) that --resume continues bit for bit.",
		Flags: slices.Concat([]ucli.Flag{
			dataFlag(),
			&ucli.StringFlag{Name: "val", Category: "data", Usage: "data set to measure on before, after each epoch and at the end"},
			&ucli.Float64Flag{Name: "val-split", Category: "data", Usage: "share of --data to measure on instead, in (0,1)"},
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE`.onnx for the trained model, or a folder for model.onnx, run.yaml and checkpoints"},
			&ucli.BoolFlag{Name: "force", Usage: "overwrite"},
			&ucli.BoolFlag{Name: "dry-run", Usage: "say what would be trained, how long it takes and the memory it needs"},
			&ucli.BoolFlag{Name: "list", Usage: "list optimisers, schedules and losses"},
			&ucli.IntFlag{Name: "epochs", Category: "training", Value: 5, Usage: "passes over the data"},
			&ucli.IntFlag{Name: "max-steps", Category: "training", Usage: "stop after so many steps"},
			&ucli.StringFlag{Name: "num-classes", Category: "training", Usage: "replace the last layer by a fresh one for `N` classes; auto: as many as the data has"},
			&ucli.BoolFlag{Name: "standardise", Category: "training", Usage: "features without pictures: bring each to mean 0 and deviation 1, and store that in the model"},
			&ucli.BoolFlag{Name: "tract", Category: "TrAct", Usage: "train the first layer by TrAct (https://arxiv.org/abs/2410.23970)"},
			&ucli.Float64Flag{Name: "tract-lambda", Category: "TrAct", Value: 0.1, Usage: "its ridge; inputs should have unit variance"},
			&ucli.StringFlag{Name: "tract-layer", Category: "TrAct", Usage: "`NODE` to apply it to, when the first layer is not found"},
			&ucli.StringFlag{Name: "checkpoint", Category: "checkpoints", Usage: "`FILE` (.npz) to write after each epoch and when interrupted"},
			&ucli.StringFlag{Name: "resume", Category: "checkpoints", Usage: "`FILE` to continue from; give the same flags as before"},
		}, loopFlags("frozen"), optimizerFlags(), dataFlags(), useFlags(), preprocessFlags()),
	}, runFinetune))
}

func runFinetune(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(trainingList())
	}
	path, err := oneArg(c, "the model")
	if err != nil {
		return err
	}
	cfg, err := e.finetuneConfig(c, path)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		p, err := job.PlanFinetune(ctx, cfg, e.reporter())
		if err != nil {
			return err
		}
		return e.printPlan(p)
	}
	r, err := job.Finetune(ctx, cfg, e.reporter())
	var stopped *job.InterruptedError
	if errors.As(err, &stopped) {
		fmt.Fprintf(e.Stderr, "gtk: step %d saved in %s; go on with --resume %s\n", stopped.Step, stopped.Checkpoint, stopped.Checkpoint)
	}
	if r == nil {
		return err
	}
	if err := writeConfig(c, cfg.Output().Config); err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	e.printFinetune(r)
	return err
}

// finetuneConfig reads the flags; it refuses what a Config takes for the usual.
func (e *env) finetuneConfig(c *ucli.Context, path string) (cfg job.FinetuneConfig, err error) {
	cfg = job.FinetuneConfig{
		Model: path, ModelOptions: e.modelOptions(c), Data: c.String("data"), DataOptions: dataOptions(c), Val: c.String("val"), ValSplit: c.Float64("val-split"),
		NumClasses: c.String("num-classes"), Standardise: c.Bool("standardise"), Epochs: c.Int("epochs"), MaxSteps: c.Int("max-steps"), Out: c.String("out"),
		Force: c.Bool("force"), Checkpoint: c.String("checkpoint"), Resume: c.String("resume"), Seed: e.Seed,
	}
	switch {
	case cfg.Data == "":
		return cfg, usagef("gtk finetune: --data is missing; see gtk data --list")
	case cfg.Out == "" && !c.Bool("dry-run"):
		return cfg, usagef("gtk finetune: the output is missing: give -o OUT.onnx, or -o FOLDER")
	case cfg.Epochs < 1:
		return cfg, usagef("--epochs %d: want at least 1", cfg.Epochs)
	case cfg.ValSplit == 0 && c.IsSet("val-split"):
		return cfg, usagef("--val-split %v: want a number between 0 and 1", cfg.ValSplit)
	case !(c.Float64("tract-lambda") > 0):
		return cfg, usagef("--tract-lambda %v: want a positive number", c.Float64("tract-lambda"))
	}
	if c.Bool("tract") || c.IsSet("tract-layer") {
		cfg.TrAct = &job.TrAct{Lambda: c.Float64("tract-lambda"), Layer: c.String("tract-layer")}
	}
	if cfg.UseOptions, err = useOptions(c); err != nil {
		return cfg, err
	}
	cfg.TrainOptions, err = trainOptions(c)
	return cfg, err
}

// printFinetune says what a training did.
func (e *env) printFinetune(r *job.FinetuneReport) {
	if b, a := r.Before, r.After; b != nil {
		e.printf("validation %s %s → %s, loss %.4g → %.4g\n", metricName(r.Metric), metricValue(r.Metric, float64(b.Metrics[r.Metric])), metricValue(r.Metric, float64(a.Metrics[r.Metric])),
			float64(b.Loss), float64(a.Loss))
	}
	e.printf("%d steps in %.1f s; written %s, read back: outputs differ by %.3g at most\n", r.Steps, r.Seconds, r.Out, r.Verify.MaxAbs)
}

// printPlan says what a training would do.
func (e *env) printPlan(p *job.FinetunePlan) error {
	if err := e.emit(p); err != nil {
		return err
	}
	all := time.Duration(p.Seconds * float64(time.Second)).Round(time.Second)
	e.printf("%d steps of %d examples, %s trained parameters in %d tensors\n", p.Steps, p.BatchSize, units.Count(p.Params), p.Tensors)
	e.printf("about %.1f ms a step, %s in all (validation not counted); %.1f MiB for activations and gradients\n", p.MsPerStep, all, p.ArenaMiB)
	e.printf("nothing was written\n")
	return nil
}
