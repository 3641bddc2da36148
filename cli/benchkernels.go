package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// benchKernelsOf is gtk bench kernels.
func benchKernelsOf() *ucli.Command {
	return command(&ucli.Command{
		Name: "kernels", Usage: "time the kernels beside what one thread of the processor can do", ArgsUsage: " ",
		Description: "Matrix products, convolutions, attention and loops over rows on one thread, in several rounds of which the best counts. " +
			"The\nlimit is measured in the same rounds: of operations by multiply-adds that touch registers only, the fastest of many short " +
			"runs\nand over a tenth of a second, of bytes by copying or negating as many.\n" +
			"Where there are several algorithms each is timed, and a star marks the one that is chosen.\n\n" +
			"  gtk bench kernels --only sgemm,\"conv 3x3\"\n" +
			"  GTK_ISA=avx2 gtk bench kernels",
		Flags: []ucli.Flag{
			&ucli.StringSliceFlag{Name: "only", Usage: "`NAMES` of kernels, or parts of them, with commas between"},
			&ucli.IntFlag{Name: "rounds", Value: 3, Usage: "how often all of them are timed"},
		},
	}, benchKernels)
}

func benchKernels(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Args().Len() > 0 {
		return usagef("gtk bench kernels: unexpected argument %q", c.Args().First())
	}
	if c.Int("rounds") < 1 {
		return usagef("--rounds %d: must be at least 1", c.Int("rounds"))
	}
	only := slices.DeleteFunc(c.StringSlice("only"), func(s string) bool { return s == "" })
	r, err := job.BenchKernels(ctx, job.BenchKernelsConfig{Only: only, Rounds: c.Int("rounds"), Seed: e.Seed}, e.reporter())
	if err != nil {
		return err
	}
	if r.Limit > 0 {
		e.printf("%s, one thread: at most %s GFLOP/s, %s over a tenth of a second\n", r.ISA, units.Significant(float64(r.Limit)),
			units.Significant(float64(r.Rate)))
	} else {
		e.printf("%s, one thread: plain Go has no limit to compare with\n", r.ISA)
	}
	t := e.newTable(3, 4, 5, 6)
	t.row("kernel", "shape", "algorithm", "ms", "GFLOP/s", "GB/s", "% of limit")
	for _, k := range r.Kernels {
		name := k.Kernel
		if k.Chosen {
			name += " *"
		}
		t.row(k.Name, k.Shape, name, fmt.Sprintf("%.3f", float64(k.Ms)), orNothing(k.GFLOPS),
			orNothing(k.GBs), orNothing(k.Percent))
	}
	_ = t.flush() // to the terminal
	return e.emit(r)
}

// orNothing is x for a table, nothing where it is not known.
func orNothing(x job.Number) string {
	if x == 0 {
		return ""
	}
	return units.Significant(float64(x))
}
