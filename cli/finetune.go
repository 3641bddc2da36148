package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("finetune", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "finetune", Usage: "train a model on a data set", ArgsUsage: "[MODEL] --data SPEC [--val SPEC] -o OUT",
			Description: "Trains, writes the model with labels and preprocessing in its metadata, reads it back and compares.\n\n" +
				"  gtk finetune model.onnx --data imagefolder:photos --val-split 0.2 --num-classes auto --optimizer diffgrad -o out.onnx\n" +
				"  gtk finetune model.onnx --data imagefolder:photos --val-split 0.2 --last-layer --epochs 30 --patience 3 --best -o run\n\n" +
				"A folder as output gets model.onnx, best.onnx (the best epoch on the validation data), run.yaml, checkpoint.npz,\n" +
				"metrics.csv, metrics.jsonl, val-ids.txt and report.html. Ctrl-C saves a checkpoint; gtk finetune --resume FOLDER goes\n" +
				"on bit for bit, also after a crash. A resume with other flags is refused by their names. A training that diverges is\n" +
				"named, and writes no model.\n" +
				"With --optimizer sgd --lr 1 --schedule constant --epochs 1 --batch-size ALL --shuffle=false this is exactly one step\n" +
				"along the gradient.",
			Flags: slices.Concat([]ucli.Flag{
				dataFlag(),
				&ucli.StringFlag{Name: "val", Category: "data", Usage: "data set to measure on before, after each epoch and at the end"},
				&ucli.Float64Flag{Name: "val-split", Category: "data", Usage: "share of --data to measure on instead, in (0,1)"},
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE`.onnx for the trained model, or a folder for everything"},
				&ucli.BoolFlag{Name: "best", Usage: "write the best epoch as the model, not the last one"},
				&ucli.StringFlag{Name: "report", Usage: "`FOLDER` for report.html, metrics and ids where the output is a file"},
				&ucli.BoolFlag{Name: "force", Usage: "overwrite"},
				&ucli.BoolFlag{Name: "dry-run", Usage: "say what would be trained, how long it takes and the memory it needs"},
				&ucli.BoolFlag{Name: "list", Usage: "list methods, optimisers, schedules and losses"},
				&ucli.IntFlag{Name: "epochs", Category: "training", Value: 5, Usage: "passes over the data"},
				&ucli.IntFlag{Name: "max-steps", Category: "training", Usage: "stop after so many steps"},
				&ucli.IntFlag{Name: "patience", Category: "training",
					Usage: "stop after so many `EPOCHS` without progress in the task's metric on the validation data; 0 never does"},
				&ucli.Float64Flag{Name: "min-delta", Category: "training", Usage: "by how much the metric must be better to be progress"},
				&ucli.BoolFlag{Name: "tract", Category: "TrAct", Usage: "train the first layer by TrAct (https://arxiv.org/abs/2410.23970)"},
				&ucli.Float64Flag{Name: "tract-lambda", Category: "TrAct", Value: 0.1, Usage: "its ridge; inputs should have unit variance"},
				&ucli.StringFlag{Name: "tract-layer", Category: "TrAct", Usage: "`NODE` to apply it to, when the first layer is not found"},
				&ucli.StringFlag{Name: "checkpoint", Category: "checkpoints",
					Usage: "`FILE` (.npz) to write after each epoch and when interrupted; none: only when interrupted"},
				&ucli.IntFlag{Name: "checkpoint-every", Category: "checkpoints", Usage: "write it after so many `STEPS` too"},
				&ucli.StringFlag{Name: "resume", Category: "checkpoints",
					Usage: "`FILE` or folder of a run to continue; alone it takes the flags of that run, else give the same"},
				&overFlag{&ucli.StringSliceFlag{Name: "sweep", Category: "training",
					Usage: "train once for each of the values, as in `lr=0.001,0.01`, into folders below the output (see gtk sweep); may be repeated"}},
				&ucli.BoolFlag{Name: "resume-anyway", Category: "checkpoints", Usage: "continue although data, model or flags differ"},
			}, methodFlags(), batchFlags(), loraFlags(), distillFlags(), contrastFlags(), restoreFlags(), unfreezeFlags(), headFlags(),
				loopFlags("frozen"),
				importanceFlags(), optimizerFlags(), dataFlags(), useFlags(), preprocessFlags()),
		}, runFinetune)
	})
}

// headFlags say what is done to a model and its data before training.
func headFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.StringFlag{Name: "num-classes", Category: "training",
			Usage: "replace the last layer by a fresh one for `N` classes; auto: as many as the data has"},
		&ucli.BoolFlag{Name: "standardise", Category: "training",
			Usage: "features without pictures: bring each to mean 0 and deviation 1, and store that in the model"},
		&ucli.BoolFlag{Name: "standardise-targets", Category: "training",
			Usage: "regression: train on targets of mean 0 and deviation 1; the model gives values in their own unit"},
	}
}

func runFinetune(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(append(trainMethodList(), trainingList()...))
	}
	if r := c.String("resume"); r != "" && job.IsSweep(r) && len(overs(c, "sweep")) == 0 {
		return usagef("gtk finetune --resume %s: that is the folder of a sweep: gtk sweep --resume %s goes on with it", r, units.Quote(r))
	}
	path, err := modelArg(c)
	if r := c.String("resume"); err != nil && r != "" && c.Args().Len() == 0 {
		_, err = job.CheckpointOf(r)
		err = cmp.Or(err, usagef("gtk finetune --resume %s: there is no run.yaml beside it to take the flags from: give the model, --data "+
			"and the flags of that run", r))
	}
	if err != nil {
		return err
	}
	if over := overs(c, "sweep"); len(over) > 0 {
		return e.sweep(ctx, c, path, job.SweepConfig{Over: over})
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
	if cfg.Replay, err = resolvedConfig(c); err != nil {
		return err
	}
	r, err := job.Finetune(ctx, cfg, e.reporter())
	var stopped *job.InterruptedError
	if errors.As(err, &stopped) {
		how := "gtk finetune --resume %s goes on"
		if yaml, _ := job.ReplayOf(stopped.Checkpoint); yaml == "" {
			how = "go on with --resume %s and the same flags"
		}
		fmt.Fprintf(e.Stderr, "gtk: step %d saved in %s; "+how+"\n", stopped.Step, stopped.Checkpoint, units.Quote(stopped.Checkpoint))
	}
	if r == nil {
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
		Model: path, ModelOptions: e.modelOptions(c), Data: c.String("data"), DataOptions: dataOptions(c), Val: c.String("val"),
		ValSplit:   c.Float64("val-split"),
		NumClasses: c.String("num-classes"), Standardise: c.Bool("standardise"), StandardiseTargets: c.Bool("standardise-targets"),
		Epochs:   c.Int("epochs"),
		MaxSteps: c.Int("max-steps"), Patience: c.Int("patience"), MinDelta: c.Float64("min-delta"), Out: c.String("out"),
		Best: c.Bool("best"), Report: c.String("report"),
		Force: c.Bool("force"), Checkpoint: c.String("checkpoint"), CheckpointEvery: c.Int("checkpoint-every"), Resume: c.String("resume"),
		ResumeAnyway: c.Bool("resume-anyway"), Seed: e.Seed,
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
	if c.IsSet("tract-lambda") && !c.Bool("tract") && !c.IsSet("tract-layer") {
		return cfg, usagef("--tract-lambda goes with --tract")
	}
	if c.Bool("tract") || c.IsSet("tract-layer") {
		cfg.TrAct = &job.TrAct{Lambda: c.Float64("tract-lambda"), Layer: c.String("tract-layer")}
	}
	if cfg.LoRA, err = loraOptions(c); err != nil {
		return cfg, err
	}
	if cfg.Growth, err = batchGrowth(c); err != nil {
		return cfg, err
	}
	if err = setUnfreeze(c, &cfg); err != nil {
		return cfg, err
	}
	if cfg.Distill, err = distillOptions(c); err != nil {
		return cfg, err
	}
	if cfg.UseOptions, err = useOptions(c); err != nil {
		return cfg, err
	}
	if cfg.Contrast, err = contrastOptions(c); err != nil {
		return cfg, err
	}
	if cfg.Restore, err = restoreOptions(c); err != nil {
		return cfg, err
	}
	if err = setMethod(c, &cfg); err != nil {
		return cfg, err
	}
	if cfg.TrainOptions, err = trainOptions(c); err != nil {
		return cfg, err
	}
	cfg.Importance, err = importanceOptions(c)
	if cfg.Contrast != nil && !c.IsSet("bn") {
		cfg.BN = "" // as objectives want it
	}
	return cfg, err
}

// printFinetune says what a training did.
func (e *env) printFinetune(r *job.FinetuneReport) {
	name := metricName(r.Metric)
	if b, a := r.Before, r.After; b != nil {
		e.printf("validation %s %s → %s, loss %.4g → %.4g\n", name, metricValue(r.Metric, float64(b.Metrics[r.Metric])),
			metricValue(r.Metric, float64(a.Metrics[r.Metric])),
			float64(b.Loss), float64(a.Loss))
	}
	if b := r.Best; b != nil {
		what := fmt.Sprintf("best epoch %d", b.Epoch)
		if g := r.GBNN; g != nil {
			what = "best with the first " + units.Plural(b.Epoch*g.Step, "unit")
		}
		e.printf("%s: %s %s, in %s\n", what, name, metricValue(b.Metric, float64(b.Value)), b.Path)
	}
	did := "written " + r.Out
	if r.Kept {
		did = r.Out + " is there already and left as it is"
	}
	e.printf("%s in %.1f s; %s, read back: outputs differ by %.3g at most\n", units.Plural(r.Steps, "step"), r.Seconds, did,
		float64(r.Verify.MaxAbs))
	if g := r.GBNN; g != nil {
		e.printf("gtk export %s --gbnn-keep N -o OUT.onnx writes the first N of its %s\n", units.Quote(r.Out), units.Plural(g.Units, "unit"))
	}
	if r.NoProp != nil {
		e.printNoProp(r.NoProp)
	}
	if r.LoRA != nil && len(r.LoRA.Files) > 0 {
		e.printf("adapters alone: %s\n", strings.Join(r.LoRA.Files, ", "))
	}
	if r.Contrast != nil {
		e.printContrast(r)
	}
	if r.Report != "" {
		e.printf("report: %s\n", filepath.Join(r.Report, "report.html"))
	}
}

// printPlan says what a training would do.
func (e *env) printPlan(p *job.FinetunePlan) error {
	if err := e.emit(p); err != nil {
		return err
	}
	all := time.Duration(p.Seconds * float64(time.Second)).Round(time.Second)
	e.printf("%s of %s, %s trained parameters in %s\n", units.Plural(p.Steps, "step"), units.Plural(p.BatchSize, "example"),
		units.Count(p.Params), units.Plural(p.Tensors, "tensor"))
	e.printf("about %.1f ms a step, %s in all (validation not counted); %.1f MiB for activations and gradients\n", p.MsPerStep, all,
		p.ArenaMiB)
	e.printf("nothing was written\n")
	return nil
}
