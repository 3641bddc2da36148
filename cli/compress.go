package cli

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/compress"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("compress", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "compress", Usage: "make a model smaller", ArgsUsage: "MODEL --method NAME [--data SPEC] -o OUT.onnx",
			Description: "Writes a smaller model as plain ONNX, reads it back and compares, and says what became of operations, size, quality on " +
				"the data, and\nmeasured time.\n\n" +
				"  gtk compress model.onnx --method int8 --data imagefolder:photos --val imagefolder:test -o int8.onnx\n" +
				"  gtk compress model.onnx --method int8:dynamic -o int8.onnx\n" +
				"  gtk compress model.onnx --method channels --macs 0.5 --data imagefolder:photos --val-split 0.1 --epochs 5 -o small.onnx",
			Flags: slices.Concat([]ucli.Flag{
				&ucli.StringFlag{Name: "method", Usage: "`NAME` with options behind colons, as in int8:calibration=entropy (see --list)"},
				&ucli.Float64Flag{Name: "macs", Usage: "`SHARE` of the multiply-accumulate operations that is left, in (0,1)"},
				&ucli.StringSliceFlag{Name: "keep", Aliases: []string{"keep-float"},
					Usage: "`GLOB` of nodes or weights that stay as they are; may be repeated"},
				&ucli.StringFlag{Name: "data", Category: "data", Usage: "data set to calibrate on, to learn from and to fine-tune on, " +
					"FORMAT:PATH[#SPLIT]; see gtk data --list"},
				&ucli.StringFlag{Name: "val", Category: "data", Usage: "data set to measure on before and after"},
				&ucli.Float64Flag{Name: "val-split", Category: "data", Usage: "share of --data to measure on instead, in (0,1)"},
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE`.onnx for the smaller model"},
				&ucli.StringFlag{Name: "report", Usage: "`FOLDER` for what there is to look at: layers.csv, and what the method draws"},
				&ucli.BoolFlag{Name: "force", Usage: "overwrite"},
				&ucli.BoolFlag{Name: "dry-run", Usage: "say what would be done"},
				&ucli.BoolFlag{Name: "list", Usage: "list methods with their options, and what fine-tuning takes"},
				&ucli.IntFlag{Name: "epochs", Category: "training", Usage: "passes over the data by which the smaller model is fine-tuned"},
				&ucli.IntFlag{Name: "latency-batch", Category: "latency", Value: 1, Usage: "examples in the runs that are timed"},
				&ucli.IntFlag{Name: "latency-runs", Category: "latency", Value: 30, Usage: "timed runs of each model; 0 times nothing"},
			}, loopFlags("train"), optimizerFlags(), dataFlags(), useFlags(), preprocessFlags()),
		}, runCompress)
	})
}

// compressList is what --list says of the methods.
func compressList() []listed {
	var rows []listed
	for _, x := range compress.Methods().Entries() {
		doc := x.Doc
		for k, o := range compress.Options(x.Name) {
			doc += []string{"; ", ":"}[min(k, 1)] + o.Name + "=" + o.Default
		}
		rows = append(rows, listed{"method " + x.Name, doc, x.Source})
	}
	return rows
}

func runCompress(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(append(compressList(), trainingList()...))
	}
	path, err := oneArg(c, "the model")
	if err != nil {
		return err
	}
	cfg := job.CompressConfig{
		Model: path, ModelOptions: e.modelOptions(c), Method: c.String("method"), MACs: c.Float64("macs"), Keep: c.StringSlice("keep"),
		Data: c.String("data"), DataOptions: dataOptions(c), Val: c.String("val"), ValSplit: c.Float64("val-split"), Epochs: c.Int("epochs"),
		LatencyBatch: c.Int("latency-batch"), LatencyRuns: c.Int("latency-runs"), Out: c.String("out"), Report: c.String("report"),
		Force: c.Bool("force"), Seed: e.Seed,
	}
	switch {
	case cfg.MACs == 0 && c.IsSet("macs"):
		return usagef("--macs 0: want the share of the operations that is left, between 0 and 1")
	case cfg.ValSplit == 0 && c.IsSet("val-split"):
		return usagef("--val-split 0: want a number between 0 and 1")
	case cfg.LatencyBatch < 1:
		return usagef("--latency-batch %d: want at least 1", cfg.LatencyBatch)
	case cfg.LatencyRuns < 0:
		return usagef("--latency-runs %d: want a number of runs, or 0", cfg.LatencyRuns)
	case cfg.LatencyRuns == 0:
		cfg.LatencyRuns = -1
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
	do := job.Compress
	if c.Bool("dry-run") {
		do = job.PlanCompress
	}
	r, err := do(ctx, cfg, e.reporter())
	if r == nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	if r.DryRun {
		e.printf("%s: %s multiply-adds, %s parameters\n", r.Model, units.Count(r.MACsBefore), units.Count(r.ParametersBefore))
		for _, l := range r.Plan {
			e.printf("%s\n", l)
		}
		e.printf("nothing was written\n")
		return nil
	}
	if perr := e.printCompress(r); perr != nil {
		return perr
	}
	return err
}

// printCompress says what became of the model.
func (e *env) printCompress(r *job.CompressReport) error {
	e.printf("\n")
	t := e.newTable(1, 2, 3)
	t.row("", "before", "after", "after/before")
	share := func(name, a, b string, x, y float64) {
		s := ""
		if x > 0 {
			s = fmt.Sprintf("%.3f", y/x)
		}
		t.row(name, a, b, s)
	}
	share("multiply-adds", units.Count(r.MACsBefore), units.Count(r.MACsAfter), float64(r.MACsBefore), float64(r.MACsAfter))
	share("parameters", units.Count(r.ParametersBefore), units.Count(r.ParametersAfter), float64(r.ParametersBefore),
		float64(r.ParametersAfter))
	share("file", units.Size(r.BytesBefore), units.Size(r.BytesAfter), float64(r.BytesBefore), float64(r.BytesAfter))
	share("file, zipped", units.Size(r.ZippedBefore), units.Size(r.ZippedAfter), float64(r.ZippedBefore), float64(r.ZippedAfter))
	if r.After != nil {
		name := metricName(r.Metric)
		if u := r.Untuned; u != nil {
			t.row(name+", before fine-tuning", "", metricValue(r.Metric, float64(u.Metrics[r.Metric])), "")
		}
		t.row(name, metricValue(r.Metric, float64(r.MetricBefore)), metricValue(r.Metric, float64(r.MetricAfter)), "")
		t.row("loss", fmt.Sprintf("%.4g", float64(r.Before.Loss)), fmt.Sprintf("%.4g", float64(r.After.Loss)), "")
	}
	if l := r.Latency; l != nil {
		what := fmt.Sprintf("time of %s on %s", units.Plural(l.Batch, "example"), units.Plural(l.Threads, "thread"))
		share(what+", median", ms(r.LatencyBefore), ms(r.LatencyAfter), float64(r.LatencyBefore), float64(r.LatencyAfter))
		share("    best", ms(l.BestBefore), ms(l.BestAfter), float64(l.BestBefore), float64(l.BestAfter))
	}
	if err := t.flush(); err != nil {
		return err
	}
	e.printf("\nwritten %s, read back: outputs differ by %.3g at most\n", r.Out, float64(r.Verify.MaxAbs))
	if r.Report != "" {
		e.printf("report: %s\n", r.Report)
	}
	return nil
}

// ms is a time in milliseconds for people.
func ms(x job.Number) string {
	if math.IsNaN(float64(x)) {
		return "–"
	}
	return fmt.Sprintf("%.3g ms", float64(x))
}
