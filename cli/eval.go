package cli

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/task"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("eval", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "eval", Usage: "measure a model on a data set", ArgsUsage: "MODEL --data SPEC",
			Description: "The loss and the metrics of the task, accuracy per class and per group (with its 95 % Wilson interval), confusion " +
				"matrix.\n\n" +
				"  gtk eval builtin:digits --data digits#test\n  gtk eval model.onnx --data csv:people.csv --group-by sex\n" +
				"  gtk eval encoder.onnx --data digits#test --reference digits#train",
			Flags: slices.Concat([]ucli.Flag{
				dataFlag(),
				&ucli.StringFlag{Name: "loss", Usage: "loss that is reported; auto goes by the data (see --list)", Value: "auto"},
				&ucli.IntFlag{Name: "batch-size", Usage: "examples in one run", Value: 64},
				&ucli.StringFlag{Name: "predictions", Usage: "also write what is predicted for each example to `FILE`.csv, .jsonl or .npz"},
				&ucli.BoolFlag{Name: "force", Usage: "replace that file"},
				&ucli.StringFlag{Name: "reference", Category: "features", Usage: "measure features: `SPEC` of data with classes, whose neighbours " +
					"vote and on which a linear classifier is fitted"},
				&ucli.IntFlag{Name: "knn", Category: "features", Value: 20, Usage: "neighbours that vote"},
				&ucli.StringFlag{Name: "features", Category: "features", DefaultText: "what the last dense layer reads",
					Usage: "`VALUE` of the model that is its features"},
				&ucli.BoolFlag{Name: "list", Usage: "list the losses and metrics"},
			}, dataFlags(), useFlags(), preprocessFlags()),
		}, runEval)
	})
}

func runEval(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(append(listOf(task.Losses().Entries()), listOf(task.Metrics().Entries())...))
	}
	path, err := oneArg(c, "the model")
	if err != nil {
		return err
	}
	use, err := useOptions(c)
	if err != nil {
		return err
	}
	features := job.FeaturesOptions{Reference: c.String("reference"), Features: c.String("features")}
	if c.IsSet("knn") {
		if features.Neighbours = c.Int("knn"); features.Neighbours < 1 {
			return usagef("--knn %d: want at least one neighbour", features.Neighbours)
		}
	}
	r, err := job.Evaluate(ctx, job.EvaluateConfig{
		Model: path, ModelOptions: e.modelOptions(c), Data: c.String("data"), DataOptions: dataOptions(c), UseOptions: use,
		Loss:      c.String("loss"),
		BatchSize: c.Int("batch-size"), Predictions: c.String("predictions"), Force: c.Bool("force"), FeaturesOptions: features,
	}, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	return e.printEval(r)
}

// printEval writes r for people.
func (e *env) printEval(r *job.EvaluateReport) error {
	e.printf("%s on %s: %s in %.2f s\n", r.Model, r.Data, units.Plural(r.N, "example"), r.Seconds)
	e.printf("  %s\n  %s\n", r.Says, metricLine(r))
	const most = 30
	if n := len(r.PerClass); n > 0 && n <= most {
		e.printf("\n")
		t := e.newTable(1, 2)
		t.row("class", "n", "accuracy", "mostly taken for")
		for _, p := range r.PerClass {
			t.row(p.Class, p.N, units.Percent(float64(p.Accuracy)), r.Mistake(p.Class))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(r.Groups) > 0 {
		e.printf("\n")
		t := e.newTable(2, 3)
		if math.IsNaN(float64(r.Groups[0].Accuracy)) {
			t.row("column", "group", "n", "loss")
			for _, g := range r.Groups {
				t.row(g.Column, g.Group, g.N, fmt.Sprintf("%.6g", float64(g.Loss)))
			}
			return t.flush()
		}
		t.row("column", "group", "n", "accuracy", "95 % interval")
		for _, g := range r.Groups {
			t.row(g.Column, g.Group, g.N, units.Percent(float64(g.Accuracy)),
				fmt.Sprintf("%s to %s", units.Percent(float64(g.Low)), units.Percent(float64(g.High))))
		}
		return t.flush()
	}
	return nil
}

// metricLine is the metrics of r and its loss on one line.
func metricLine(r *job.EvaluateReport) string {
	var words []string
	for _, n := range r.Order {
		words = append(words, metricName(n)+" "+metricValue(n, float64(r.Metrics[n])))
	}
	if r.LossName == "" {
		return strings.Join(words, "   ")
	}
	return strings.Join(append(words, fmt.Sprintf("loss %.4g (%s)", float64(r.Loss), r.LossName)), "   ")
}

func metricName(n string) string { return job.MetricName(n) }

func metricValue(n string, v float64) string { return job.MetricText(n, v) }
