package cli

import (
	"context"
	"slices"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("export", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "export", Usage: "write the ONNX model of a training run, or another form of a model", ArgsUsage: "MODEL.onnx|RUN",
			Description: "RUN is a folder that gtk finetune wrote; its model.onnx is exported. The file that was written is read again and " +
				"compared with its source on random inputs. With --train-step it is a training step of the model, with the options of " +
				"gtk finetune.",
			Flags: append([]ucli.Flag{
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write; - is standard output"},
				&ucli.Int64Flag{Name: "opset", Usage: "operator set `N` of the file"},
				&ucli.BoolFlag{Name: "external-data", Usage: "put the weights into a file beside the model"},
				&ucli.BoolFlag{Name: "inline", Usage: "put weights that are beside the model into it"},
				&ucli.StringFlag{Name: "with-explanation", Usage: "put the heat map of `METHOD` into the graph (not there yet)"},
				&ucli.IntFlag{Name: "gbnn-keep",
					Usage: "keep the first `N` units of a model that gtk finetune --method gbnn wrote, and leave out the rest"},
				&ucli.BoolFlag{Name: "force", Usage: "replace FILE if it is there"},
				&ucli.BoolFlag{Name: "dry-run", Usage: "check everything, write nothing"},
			}, slices.Concat(adapterFlags(), stepFlags())...),
		}, exportCommand)
	})
}

func exportCommand(ctx context.Context, e *env, c *ucli.Context) error {
	from, err := oneArg(c, "MODEL.onnx or RUN")
	if err != nil {
		return err
	}
	if c.IsSet("with-explanation") {
		return usagef("--with-explanation is not there yet: gtk explain makes heat maps without an exported graph")
	}
	step, err := stepOptions(c)
	if err != nil {
		return err
	}
	adapter, err := adapterOptions(c)
	if err != nil {
		return err
	}
	opset, err := opsetFlag(c)
	if err != nil {
		return err
	}
	cfg := job.ExportConfig{
		From: from, Out: c.String("out"), Opset: opset, ExternalData: c.Bool("external-data"), Inline: c.Bool("inline"),
		Force:  c.Bool("force"),
		DryRun: c.Bool("dry-run"), Threads: e.Threads, Seed: e.Seed, Step: step, Adapter: adapter,
		KeepUnits: c.Int("gbnn-keep"),
	}
	if c.IsSet("gbnn-keep") && cfg.KeepUnits < 1 {
		return usagef("--gbnn-keep %d: want at least one unit", cfg.KeepUnits)
	}
	if e.Piped {
		cfg.Out, cfg.W = "", stream{e.Stdout}
	}
	r, err := job.Export(ctx, cfg)
	if r == nil {
		return err
	}
	e.printExport(r)
	if perr := e.emit(r); perr != nil {
		return perr
	}
	return err
}

// printExport says what was written.
func (e *env) printExport(r *job.ExportReport) {
	what := r.Out
	if what == "" {
		what = "the model"
	}
	if r.DryRun {
		e.printf("%s can be written as opset %d; nothing is written (--dry-run)\n", what, r.Opset)
	} else {
		e.printf("%s written: opset %d, %s\n", what, r.Opset, units.Size(r.Bytes))
	}
	if s := r.Step; s != nil {
		e.printStep(r)
		return
	}
	if r.Adapter != nil {
		e.printAdapter(r.Adapter)
	}
	if u := r.Units; u != nil {
		e.printf("the first %d of its %d units\n", u.Kept, u.Of)
	}
	switch v := r.Verify; {
	case r.Units != nil && v.Pass && v.Note == "":
		e.printf("read back: the outputs are the same on random inputs (largest difference %.3g)\n", float64(v.MaxAbs))
	case r.Adapter != nil && v.Pass && v.Note == "":
		e.printf("read back: the outputs are the same on random inputs (largest difference %.3g)\n", float64(v.MaxAbs))
	case v.Note != "":
		e.printf("not compared: %s\n", v.Note)
	case v.Pass:
		e.printf("same outputs as %s on random inputs (largest difference %.3g)\n", r.Path, float64(v.MaxAbs))
	default:
		e.printf("the outputs DIFFER from those of %s by up to %.3g\n", r.Path, float64(v.MaxAbs))
	}
}

// opsetFlag is --opset, 0 when it is not given.
func opsetFlag(c *ucli.Context) (int64, error) {
	if v := c.Int64("opset"); c.IsSet("opset") && v < 1 {
		return 0, usagef("--opset %d: the operator sets are 1 to %d", v, job.LatestOpset)
	}
	return c.Int64("opset"), nil
}
