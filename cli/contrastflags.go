package cli

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/task"
	ucli "github.com/urfave/cli/v2"
)

// contrastFlags ask for an objective over views of the examples in the place of labels.
func contrastFlags() []ucli.Flag {
	const group = "contrastive"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "objective", Category: group, Value: "task",
			Usage: "task, which learns from the labels, or what needs none: " + strings.Join(task.Objectives().Names(), ", ") +
				", or for noisy pictures " + strings.Join(denoise.Objectives().Names(), ", ") + ", with options behind colons (see --list)"},
		&ucli.IntFlag{Name: "views", Category: group, Value: 2,
			Usage: "views of each example that are compared with each other; --augment makes them"},
		&ucli.IntFlag{Name: "local-views", Category: group, Usage: "further views, of small parts, that are compared with those"},
		&ucli.StringFlag{Name: "local-augment", Category: group, DefaultText: "those of the others, of a small part",
			Usage: "random changes of the local views, as --augment"},
		&ucli.StringFlag{Name: "features", Category: group, DefaultText: "what the last dense layer reads",
			Usage: "`VALUE` of the model that is its features"},
		&ucli.IntFlag{Name: "projection-layers", Category: group, Value: 3, Usage: "dense layers between features and objective"},
		&ucli.IntFlag{Name: "projection-width", Category: group, Value: 128, Usage: "numbers that the objective compares"},
		&ucli.IntFlag{Name: "knn", Category: group, Value: 20, Usage: "neighbours that vote for a class, where the validation data have classes"},
		&ucli.StringFlag{Name: "write", Category: group, Value: job.ContrastForms[0],
			Usage: "what is written: " + strings.Join(job.ContrastForms, ", ") + " (as it was, last layers too)"},
	}
}

// contrastOptions reads contrastFlags; nil for --objective task.
func contrastOptions(c *ucli.Context) (*job.Contrast, error) {
	if restoring(c) {
		return nil, nil
	}
	if c.String("objective") == "task" {
		for _, f := range contrastFlags()[1:] {
			if name := f.Names()[0]; c.IsSet(name) {
				return nil, usagef("--%s goes with --objective %s", name, strings.Join(task.Objectives().Names(), " or "))
			}
		}
		return nil, nil
	}
	x := &job.Contrast{Objective: c.String("objective"), Views: c.Int("views"), LocalViews: c.Int("local-views"),
		LocalAugment: c.String("local-augment"), Features: c.String("features"), Layers: c.Int("projection-layers"),
		Width: c.Int("projection-width"), Neighbours: c.Int("knn"), Write: c.String("write")}
	for _, n := range []string{"views", "projection-layers", "projection-width", "knn"} {
		if c.Int(n) < 1 { // which a Config takes for the usual
			return nil, usagef("--%s %d: want at least 1", n, c.Int(n))
		}
	}
	if c.IsSet("knn") && !c.IsSet("val") && !c.IsSet("val-split") {
		return nil, usagef("--knn votes on the classes of the validation data: give --val or --val-split")
	}
	return x, nil
}

// printContrast says what features are good for.
func (e *env) printContrast(r *job.FinetuneReport) {
	x := r.Contrast
	e.printf("%s: %d features", x.Written, x.Width)
	if b, a := r.Before, r.After; b != nil && a != nil && x.Neighbours > 0 {
		e.printf("; linear probe %s → %s", metricValue("linear_probe", float64(b.Metrics["linear_probe"])),
			metricValue("linear_probe", float64(a.Metrics["linear_probe"])))
	}
	e.printf("\n")
	if x.Written != "model" {
		e.printf("%s\n", fmt.Sprintf("gtk finetune %s --data … --num-classes auto --last-layer fits a classifier on them", r.Out))
	}
}
