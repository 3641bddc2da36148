package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("runs", func() *ucli.Command {
		sort := func(usage string) ucli.Flag {
			return &ucli.StringFlag{Name: "sort", Usage: "`ORDER`: " + strings.Join(job.RunSorts, ", ") + usage}
		}
		list := command(&ucli.Command{
			Name: "list", Usage: "list the runs in a folder", ArgsUsage: "[DIR…]",
			Description: "The folders that gtk finetune -o FOLDER has made, in DIR (here, unless it is given) and below: what is known of each,\n" +
				"also of those that are going on or were killed.\n\n" +
				"  gtk runs list experiments --sort metric",
			Flags: []ucli.Flag{sort("; metric is the best first, time the latest")},
		}, runsList)
		compare := command(&ucli.Command{
			Name: "compare", Usage: "put runs side by side, with what differs between them", ArgsUsage: "A B… [-o FILE.html]",
			Description: "A table of the runs, and what differs in how they were made; the page has their curves over one another. A folder with\n" +
				"runs in it stands for all of them.\n\n" +
				"  gtk runs compare adam sgd lion -o compare.html",
			Flags: []ucli.Flag{
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE.html` for a page with curves"},
				&ucli.BoolFlag{Name: "force", Usage: "replace FILE.html if it is there"},
				sort("; unless it is given, the order of the arguments"),
			},
		}, runsCompare)
		top := command(&ucli.Command{
			Name: "runs", Usage: "list and compare the folders of trainings", ArgsUsage: "list [DIR…] | compare A B…",
			Description: "gtk runs list: the runs below a folder. gtk runs compare: runs side by side, with their curves.",
		}, func(_ context.Context, _ *env, c *ucli.Context) error {
			if c.Args().Len() == 0 {
				return usagef("gtk runs: what is to be done is missing: gtk runs list DIR, or gtk runs compare A B")
			}
			return noCommand("runs "+c.Args().First(), "runs list", "runs compare")
		})
		top.OnUsageError = func(_ *ucli.Context, err error, _ bool) error {
			return usagef("gtk runs: %v: what is to be done comes first, as in gtk runs list DIR", err)
		}
		top.Subcommands = []*ucli.Command{list, compare}
		return top
	})
}

func runsList(_ context.Context, e *env, c *ucli.Context) error {
	r, err := job.Runs(job.RunsConfig{Dirs: c.Args().Slice(), Sort: c.String("sort")}, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	return e.printRuns(r.Runs, true)
}

func runsCompare(_ context.Context, e *env, c *ucli.Context) error {
	r, err := job.CompareRuns(job.CompareConfig{
		Dirs: c.Args().Slice(), Sort: c.String("sort"), Out: c.String("out"), Force: c.Bool("force"),
	}, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	if err := e.printRuns(r.Runs, false); err != nil {
		return err
	}
	if len(r.Differs) == 0 {
		e.printf("\nno setting differs\n")
	} else {
		e.printf("\nsettings that differ\n")
		t := e.newTable()
		head := []any{"run"}
		for _, d := range r.Differs {
			head = append(head, d.Name)
		}
		t.row(head...)
		t.rows(e, len(r.Runs), func(i int) {
			row := []any{clip(r.Runs[i].Name, 40)}
			for _, d := range r.Differs {
				row = append(row, orDash(clip(d.Values[i], 40)))
			}
			t.row(row...)
		})
		if err := t.flush(); err != nil {
			return err
		}
	}
	if r.Out != "" {
		e.printf("\npage: %s\n", r.Out)
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// printRuns prints a table of runs; of a list, also what they are runs of.
func (e *env) printRuns(runs []*job.RunFolder, list bool) error {
	head := []any{"run", "state", "metric", "best", "at epoch", "val loss", "train loss", "epochs", "time"}
	if list {
		head = append(head, "model", "data", "changed")
	}
	t := e.newTable(3, 4, 5, 6, 7, 8)
	t.row(head...)
	t.rows(e, len(runs), func(i int) {
		r := runs[i]
		best, at, loss := "–", "–", "–"
		if b := r.Best; b != nil {
			best, at, loss = metricValue(r.Metric, float64(b.Value)), fmt.Sprint(b.Epoch), short(float64(b.Loss))
		}
		epochs := fmt.Sprint(r.Epochs)
		if r.Planned > r.Epochs {
			epochs = fmt.Sprintf("%d of %d", r.Epochs, r.Planned)
		}
		row := []any{clip(r.Name, 40), r.Status, orDash(metricName(r.Metric)), best, at, loss, short(float64(r.TrainLoss)), epochs,
			units.Time(r.Seconds)}
		if list {
			row = append(row, clip(filepath.Base(r.Model), 30), clip(r.Data, 40), r.Changed.Local().Format("2006-01-02 15:04"))
		}
		t.row(row...)
	})
	if err := t.flush(); err != nil {
		return err
	}
	for _, r := range runs {
		if list && r.Resumable {
			e.printf("gtk finetune --resume %s goes on\n", units.Quote(r.Path))
		}
	}
	return nil
}
