package cli

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("verify", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "verify", Usage: "compare a model with recorded outputs, or with another model",
			ArgsUsage: "MODEL.onnx --golden DIR | A.onnx B.onnx",
			Description: "DIR holds input_0.pb, …, output_0.pb, … (the form of ONNX's own tests), or one folder of those per case. Two " +
				"models are run on the same random inputs.\n" +
				"With --runtime another library runs the model: onnx-go or gorgonia. docs/guides/interop.md says what each of them can.\n" +
				"Numbers agree when |a-b| <= atol + rtol·|b|. Exit code 1 when they do not.",
			Flags: []ucli.Flag{
				&ucli.StringFlag{Name: "golden", Usage: "`FOLDER` of recorded inputs and outputs"},
				&ucli.StringFlag{Name: "runtime", Usage: "recorded outputs: `NAME` of what runs the model: gtk, onnx-go or gorgonia"},
				&ucli.Float64Flag{Name: "rtol", Value: 1e-3, Usage: "relative tolerance"},
				&ucli.Float64Flag{Name: "atol", Value: 1e-5, Usage: "absolute tolerance"},
				&ucli.StringSliceFlag{Name: "input", Usage: "two models: `NAME=SHAPE` or NAME=FILE of what is fed"},
				&ucli.IntFlag{Name: "batch", Value: 1, Usage: "two models: batch size"},
				&ucli.IntFlag{Name: "cases", Value: 3, Usage: "two models: how many random inputs"},
			},
		}, verifyCommand)
	})
}

func verifyCommand(ctx context.Context, e *env, c *ucli.Context) error {
	what, golden := []string{"A.onnx", "B.onnx (or --golden DIR)"}, c.String("golden")
	if golden != "" {
		what = []string{"MODEL.onnx"}
	}
	args, err := nArgs(c, what...)
	if err != nil {
		return err
	}
	cfg := job.VerifyConfig{
		Model: args[0], ModelOptions: e.modelOptions(c), Golden: golden, Rtol: c.Float64("rtol"), Atol: c.Float64("atol"),
		Inputs: c.StringSlice("input"), Runtime: c.String("runtime"),
		Batch: c.Int("batch"), Cases: c.Int("cases"), Seed: e.Seed,
	}
	if golden == "" {
		cfg.Other = args[1]
		switch {
		case cfg.Cases < 1:
			return usagef("--cases %d: must be at least 1", cfg.Cases)
		case cfg.Batch < 1:
			return usagef("--batch %d: must be at least 1", cfg.Batch)
		}
	}
	r, err := job.Verify(ctx, cfg, e.reporter())
	if r == nil {
		return err
	}
	if perr := e.printVerify(r); perr != nil {
		return perr
	}
	return err
}

// printVerify prints the comparison.
func (e *env) printVerify(r *job.VerifyReport) error {
	t := e.newTable(3, 4)
	t.row("case", "output", "", "max abs", "max rel", "")
	bad := 0
	for _, o := range r.Outputs {
		verdict := "ok"
		if !o.Pass {
			verdict = "DIFFERS"
			bad++
		}
		t.row(o.Case, o.Name, verdict, fmt.Sprintf("%.3g", float64(o.MaxAbs)), fmt.Sprintf("%.3g", float64(o.MaxRel)), o.Detail)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	by := ""
	if r.Runtime != "" {
		by = r.Runtime + ": "
	}
	if !r.Pass {
		which := units.Of(len(r.Outputs), "the output differs", fmt.Sprintf("%d of %%d outputs differ", bad))
		e.printf("%s%s from %s by more than rtol %g, atol %g\n", by, which, r.Against, r.Rtol, r.Atol)
		return nil
	}
	e.printf("%s%s with %s within rtol %g, atol %g\n", by, units.Of(len(r.Outputs), "the output agrees", "all %d outputs agree"),
		r.Against, r.Rtol, r.Atol)
	return nil
}
