package cli

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/train"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "eval", Usage: "measure a model on a data set", ArgsUsage: "MODEL --data SPEC",
		Description: "Accuracy, top-5, loss, accuracy per class and per group (with its 95 % Wilson interval), confusion matrix.\n\n" +
			"  gtk eval builtin:digits --data digits#test\n  gtk eval model.onnx --data csv:people.csv --group-by sex",
		Flags: slices.Concat([]ucli.Flag{
			dataFlag(),
			&ucli.StringFlag{Name: "loss", Usage: "loss that is reported; auto goes by the data (see --list)", Value: "auto"},
			&ucli.IntFlag{Name: "batch-size", Usage: "examples in one run", Value: 64},
			&ucli.BoolFlag{Name: "list", Usage: "list the losses"},
		}, dataFlags(), preprocessFlags()),
	}, runEval))
}

// evalReport is what gtk eval --json prints.
type evalReport struct {
	Schema    string      `json:"schema"`
	Model     string      `json:"model"`
	Data      string      `json:"data"`
	N         int         `json:"n"`
	Accuracy  number      `json:"accuracy"`
	Top5      number      `json:"top5"`
	Loss      number      `json:"loss"`
	PerClass  []classJSON `json:"per_class"`
	Groups    []groupJSON `json:"groups"`
	Worst     *groupJSON  `json:"worst_group,omitempty"`
	Classes   []string    `json:"classes"`
	Confusion [][]int     `json:"confusion"`
	Seconds   float64     `json:"seconds"`
	Notes     []string    `json:"notes,omitempty"`
	result    *train.Evaluation
}

type classJSON struct {
	Class    string `json:"class"`
	N        int    `json:"n"`
	Accuracy number `json:"accuracy"`
}

type groupJSON struct {
	Column   string `json:"column"`
	Group    string `json:"group"`
	N        int    `json:"n"`
	Accuracy number `json:"accuracy"`
	Low      number `json:"low"`
	High     number `json:"high"`
}

func runEval(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(listOf(train.Losses().Entries()))
	}
	path, err := oneArg(c, "the model")
	if err != nil {
		return err
	}
	spec := c.String("data")
	if spec == "" {
		return usagef("gtk eval: --data is missing; see gtk data --list")
	}
	l, err := e.loadModel(c, path)
	if err != nil {
		return err
	}
	ds, pre, assumed, err := openData(c, l, spec)
	if err != nil {
		return err
	}
	if assumed != "" {
		e.warn("%s", assumed)
	}
	if err := knownColumns(ds, c.StringSlice("group-by")); err != nil {
		return err
	}
	r, err := e.evaluate(ctx, l, ds, train.EvalConfig{
		Loss: c.String("loss"), BatchSize: c.Int("batch-size"), Preprocess: pre, GroupBy: c.StringSlice("group-by"),
	})
	if err != nil {
		return err
	}
	r.Model, r.Data = path, spec
	if assumed != "" {
		r.Notes = append(r.Notes, assumed)
	}
	if err := e.emit(r); err != nil {
		return err
	}
	return e.printEval(r)
}

// knownColumns fails when one of the names is no group column of ds.
func knownColumns(ds data.Dataset, names []string) error {
	have := data.GroupColumns(ds)
	for _, n := range names {
		if slices.Contains(have, n) {
			continue
		}
		switch near := registry.Suggest(n, have); {
		case len(have) == 0:
			return usagef("--group-by %s: the data set has no group columns", n)
		case len(near) > 0:
			return usagef("--group-by %s: there is no such column; did you mean %s?", n, near[0])
		default:
			return usagef("--group-by %s: there is no such column; there are %s", n, strings.Join(have, ", "))
		}
	}
	return nil
}

// evaluate runs l over ds with progress.
func (e *env) evaluate(ctx context.Context, l *loaded, ds data.Dataset, cfg train.EvalConfig) (*evalReport, error) {
	start := time.Now()
	bar := e.newProgress("eval", ds.Len())
	defer bar.end()
	cfg.Progress = func(done, total int) {
		bar.set(done, fmt.Sprintf("%.0f/s", float64(done)/max(time.Since(start).Seconds(), 1e-9)))
	}
	v, err := train.Evaluate(ctx, l.Model, ds, cfg)
	if err != nil {
		return nil, err
	}
	r := &evalReport{
		Schema: "gtk.eval/1", N: v.N, Accuracy: number(v.Accuracy), Top5: number(v.Top5), Loss: number(v.Loss), PerClass: []classJSON{},
		Groups: []groupJSON{}, Classes: ds.Classes(), Confusion: v.Confusion, Seconds: time.Since(start).Seconds(), result: v,
	}
	for _, p := range v.PerClass {
		r.PerClass = append(r.PerClass, classJSON{p.Class, p.N, number(p.Accuracy)})
	}
	for _, g := range v.Groups {
		r.Groups = append(r.Groups, groupJSON{g.Column, g.Group, g.N, number(g.Accuracy), number(g.Low), number(g.High)})
		if w := &r.Groups[len(r.Groups)-1]; r.Worst == nil || w.Accuracy < r.Worst.Accuracy {
			worst := *w
			r.Worst = &worst
		}
	}
	return r, nil
}

// printEval writes r for people.
func (e *env) printEval(r *evalReport) error {
	e.printf("%s on %s: %d examples in %.2f s\n", r.Model, r.Data, r.N, r.Seconds)
	if math.IsNaN(float64(r.Accuracy)) {
		e.printf("  loss %.6g\n", float64(r.Loss))
		return nil
	}
	e.printf("  accuracy %s   top-5 %s   loss %.4f\n", percent(float64(r.Accuracy)), percent(float64(r.Top5)), float64(r.Loss))
	const most = 30
	if n := len(r.PerClass); n > 0 && n <= most {
		e.printf("\n")
		t := e.newTable(1, 2)
		t.row("class", "n", "accuracy", "mostly taken for")
		for _, p := range r.PerClass {
			t.row(p.Class, p.N, percent(float64(p.Accuracy)), mistake(r, p.Class))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(r.Groups) > 0 {
		e.printf("\n")
		t := e.newTable(2, 3)
		t.row("column", "group", "n", "accuracy", "95 % interval")
		for _, g := range r.Groups {
			t.row(g.Column, g.Group, g.N, percent(float64(g.Accuracy)), fmt.Sprintf("%s to %s", percent(float64(g.Low)), percent(float64(g.High))))
		}
		return t.flush()
	}
	return nil
}

// mistake is the class that examples of the class are taken for most often, and how often.
func mistake(r *evalReport, class string) string {
	y := slices.Index(r.Classes, class)
	if y < 0 || y >= len(r.Confusion) {
		return ""
	}
	best := -1
	for j, n := range r.Confusion[y] {
		if j != y && n > 0 && (best < 0 || n > r.Confusion[y][best]) {
			best = j
		}
	}
	if best < 0 {
		return ""
	}
	name := fmt.Sprint(best)
	if best < len(r.Classes) {
		name = r.Classes[best]
	}
	return fmt.Sprintf("%s (%d)", name, r.Confusion[y][best])
}

// percent is a share for people.
func percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100*v)
}
