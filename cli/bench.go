package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("bench", func() *ucli.Command {
		top := command(&ucli.Command{
			Name: "bench", Usage: "time a model: inference, training steps or per-example gradient norms", ArgsUsage: "MODEL.onnx",
			Description: "infer  the outputs\n" +
				"train  forward, backward and a step of SGD with momentum, on made-up labels (cross-entropy for [N,K] outputs) or targets " +
				"(mean squared error)\n" +
				"grand  the exact norm of the gradient of each example of a batch\n\n" +
				"gflops counts two operations for each multiply-accumulate of the layers, three times that with a backward pass, over the " +
				"median time.\n\ngtk bench kernels times the kernels themselves.",
			Flags: []ucli.Flag{
				&ucli.StringFlag{Name: "mode", Value: "infer", Usage: "infer, train or grand"},
				&ucli.StringSliceFlag{Name: "input", Usage: "`NAME=SHAPE[:dtype]` such as input=8x3x224x224, or NAME=FILE"},
				&ucli.IntFlag{Name: "batch", Value: 1, Usage: "batch size, where the model leaves it open"},
				&ucli.IntFlag{Name: "n", Value: 20, Usage: "timed runs"},
				&ucli.IntFlag{Name: "warmup", Value: 3, Usage: "runs before those"},
				&ucli.StringFlag{Name: "bn", Value: "frozen", Usage: "batch normalisation in training: frozen or train"},
				&ucli.StringFlag{Name: "loss", Value: "auto", Usage: "cross-entropy, mse, or auto: by the output"},
				&wordFlag{&ucli.GenericFlag{Name: "profile", Value: &switchWord{},
					Usage: "show where the time goes, by operator; --profile=nodes: by node", DefaultText: "false"}},
				&ucli.StringFlag{Name: "flame", Usage: "write the profile as a flame chart to an SVG `FILE`"},
				&ucli.BoolFlag{Name: "force", Usage: "replace that file if it is there"},
				memoryLimitFlag(""),
				&ucli.IntSliceFlag{Name: "scaling",
					Usage: "predict the time on these numbers of `THREADS`, as in 2,4,8,16,64, and name what will not scale"},
				&ucli.BoolFlag{Name: "list", Usage: "list the losses"},
				&ucli.BoolFlag{Name: "dry-run", Usage: "show the plan and the work, run nothing"},
			},
		}, benchCommand)
		top.Subcommands = []*ucli.Command{benchKernelsOf()}
		return top
	})
}

func benchCommand(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(listOf(task.Losses().Entries()))
	}
	path, err := oneArg(c, "MODEL.onnx")
	if err != nil {
		return err
	}
	switch {
	case c.Int("n") < 1:
		return usagef("--n must be at least 1 and --warmup at least 0")
	case c.Int("batch") < 1:
		return usagef("--batch %d: must be at least 1", c.Int("batch"))
	}
	profile, err := profileOf(c)
	if err != nil {
		return err
	}
	limit, err := memoryLimit(c)
	if err != nil {
		return err
	}
	r, err := job.Bench(ctx, job.BenchConfig{
		Model: path, ModelOptions: e.modelOptions(c), Mode: c.String("mode"), Inputs: c.StringSlice("input"), Batch: c.Int("batch"),
		N:      c.Int("n"),
		Warmup: new(c.Int("warmup")), BN: c.String("bn"), Loss: c.String("loss"), Profile: profile != "",
		Flame: c.String("flame"), Force: c.Bool("force"), Memory: limit, Scaling: c.IntSlice("scaling"), DryRun: c.Bool("dry-run"),
		Seed: e.Seed,
	}, e.reporter())
	if err != nil {
		return err
	}
	e.printBench(r)
	if profile != "" {
		e.printProfile(r, profile)
	}
	if r.Scaling != nil {
		e.printScaling(r.Scaling)
	}
	if r.Flame != "" {
		e.printf("\nflame chart written to %s\n", r.Flame)
	}
	return e.emit(r)
}

// profileOf is the view that --profile asks for: operators, nodes, or "" for none.
func profileOf(c *ucli.Context) (string, error) {
	w := wordOf(c, "profile")
	switch w {
	case "", "false":
		return "", nil
	case "true":
		return "operators", nil
	case "operators", "nodes":
		return w, nil
	}
	return "", usagef("--profile=%s: want operators or nodes%s", w, registry.Hint(w, []string{"operators", "nodes"}))
}

func (e *env) printBench(r *job.BenchReport) {
	e.printf("%s: %s, batch %d, threads %d, %s\n", r.Model, r.Mode, r.Batch, r.Threads, r.ISA)
	t := e.newTable()
	for _, name := range slices.Sorted(maps.Keys(r.Inputs)) {
		t.row("input "+name, tensor.Shape(r.Inputs[name]))
	}
	if r.Loss != "" {
		t.row("loss", fmt.Sprintf("%s, batch normalisation %s", r.Loss, r.BN))
	}
	t.row("work", units.Count(r.MACs)+" MACs forward")
	t.row("load", units.Significant(float64(r.LoadMs))+" ms")
	if r.DryRun {
		t.row("timed runs", fmt.Sprintf("%d, not run (--dry-run)", r.N))
	} else {
		t.row("median", units.Significant(float64(r.MedianMs))+" ms")
		t.row("best, p90", units.Significant(float64(r.BestMs))+" ms, "+units.Significant(float64(r.P90Ms))+" ms")
		t.row("speed", fmt.Sprintf("%s examples/s, %s GFLOPS", units.Significant(float64(r.PerSecond)),
			units.Significant(float64(r.GFLOPS))))
		t.row("memory", fmt.Sprintf("%s MiB planned for values, %s MiB peak of the process", units.Significant(float64(r.ArenaMiB)),
			units.Significant(float64(r.PeakRSSMiB))))
	}
	_ = t.flush() // to the terminal
}

func (e *env) printProfile(r *job.BenchReport, view string) {
	if len(r.Profile) == 0 {
		return
	}
	cost := func(c job.Cost) []any {
		return []any{fmt.Sprintf("%.3f", c.Ms), fmt.Sprintf("%.1f", c.Percent), orNothing(c.GFLOPS), orNothing(c.OfLimit), orNothing(c.MiB),
			orNothing(c.GBs)}
	}
	head := []any{"ms", "%", "GFLOP/s", "% of limit", "MiB", "GB/s"}
	of := ""
	if r.Limit > 0 {
		of = fmt.Sprintf(", limit %s GFLOP/s", units.Significant(float64(r.Limit)))
	}
	e.printf("\n%s%s\n", view, of)
	if view == "nodes" {
		nodes := slices.Clone(r.Nodes)
		slices.SortStableFunc(nodes, func(a, b job.NodeRow) int { return cmp.Compare(b.Ms, a.Ms) })
		t := e.newTable(3, 4, 5, 6, 7, 8)
		t.row(append([]any{"", "operator", "shape"}, head...)...)
		t.rows(e, len(nodes), func(i int) {
			n := nodes[i]
			t.row(append([]any{n.Name, n.Op, tensor.Shape(n.Shape)}, cost(n.Cost)...)...)
		})
		_ = t.flush()
		return
	}
	t := e.newTable(1, 2, 3, 4, 5, 6, 7)
	t.row(append([]any{"", "calls"}, head...)...)
	for _, p := range r.Profile {
		t.row(append([]any{p.Op, p.Calls}, cost(p.Cost)...)...)
	}
	_ = t.flush()
}
