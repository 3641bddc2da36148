package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/prune"
	"github.com/gtk-onnx/gtk/train"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "prune-data", Usage: "choose the training examples worth keeping", ArgsUsage: "MODEL --data SPEC --keep F -o DIR",
		Description: "Scores the data as score-data does and keeps the examples with the highest scores; with --drop-top without the very highest of all, where wrong\n" +
			"labels gather; with --offset, as in the paper's code, those that follow the share with the lowest scores.\n" +
			"Writes scores.csv, keep.txt, manifest.json and report.html; --data keep:DIR/keep.txt@SPEC is the subset.\n" +
			"--prove trains on all examples, on the kept ones and on as many random ones, for the same number of steps, and compares. Without --val it holds out a\n" +
			"fifth of the data for that first.\n\n" +
			"  gtk prune-data model.onnx --data imagefolder:photos --keep 0.5 --drop-top 0.05 --runs 3 --prove -o pruned",
		Flags: append(scoringFlags(),
			&ucli.Float64Flag{Name: "keep", Category: "choice", Value: 0.5, Usage: "share of the examples to keep, in (0,1]"},
			&ucli.Float64Flag{Name: "offset", Category: "choice", Usage: "share with the lowest scores to leave out: the kept ones are those that follow it, not the highest"},
			&ucli.Float64Flag{Name: "drop-top", Category: "choice", Usage: "share with the highest scores to leave out first, in [0,1)"},
			&ucli.BoolFlag{Name: "balance", Category: "choice", Usage: "keep that share of every class"},
			&ucli.BoolFlag{Name: "export", Category: "choice", Usage: "also write the kept examples: DIR/subset (pictures by class) or DIR/subset.npz"},
			&ucli.BoolFlag{Name: "prove", Category: "proof", Usage: "train on all, kept and random examples and compare"},
			&ucli.IntFlag{Name: "prove-epochs", Category: "proof", Value: 5, Usage: "epochs on all examples; the others get as many steps"},
			&ucli.StringFlag{Name: "val", Category: "proof", Usage: "data set for the proof; without it a fifth of --data is held out"},
		),
	}, runPruneData))
}

// pruneReport is what gtk prune-data --json prints.
type pruneReport struct {
	Schema   string            `json:"schema"`
	Model    string            `json:"model"`
	Data     string            `json:"data"`
	Score    string            `json:"score"`
	Runs     int               `json:"runs"`
	Keep     float64           `json:"keep"`
	Offset   *float64          `json:"offset"`
	DropTop  float64           `json:"drop_top"`
	Kept     int               `json:"kept"`
	Dropped  int               `json:"dropped"`
	PerClass map[string][2]int `json:"per_class"`
	Proof    *proof            `json:"proof"`
	Suspects []string          `json:"suspects"`
	Planted  *plantedJSON      `json:"planted,omitempty"`
	Summary  scoreSummary      `json:"scores"`
	Out      string            `json:"out"`
	KeepList string            `json:"keep_list"`
	Report   string            `json:"report"`
	Subset   string            `json:"subset,omitempty"`
	Notes    []string          `json:"notes,omitempty"`
}

// plantedJSON says how many of the labels that were planted wrong are found.
type plantedJSON struct {
	Total   int `json:"total"`
	Among   int `json:"among_suspects"`
	Dropped int `json:"dropped"`
}

// proof is the comparison of trainings on all, kept and random examples.
type proof struct {
	N     int `json:"n"` // examples it is measured on
	Steps int `json:"steps"`

	Full   float64 `json:"full"`
	Pruned float64 `json:"pruned"`
	Random float64 `json:"random"`
}

func runPruneData(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(scorersList())
	}
	choice := prune.Choice{Keep: c.Float64("keep"), DropTop: c.Float64("drop-top"), Balance: c.Bool("balance")}
	if c.IsSet("offset") {
		choice.Offset = new(c.Float64("offset"))
	}
	if err := pruneUsage(c, choice); err != nil {
		return err
	}
	s, err := e.openScoring(c)
	if err != nil {
		return err
	}
	if c.Bool("prove") {
		if err := s.holdOut(e, c); err != nil {
			return err
		}
	}
	if c.Bool("dry-run") {
		return s.plan(e, fmt.Sprintf("; about %d kept", int(math.Round(choice.Keep*float64(s.train.Len())))))
	}
	dir := c.String("out")
	if err := outDir(dir, c.Bool("force")); err != nil {
		return err
	}
	if err := s.run(ctx, e, c); err != nil {
		return err
	}
	name := s.names[0]
	x := s.scores[name]
	kept, err := x.Select(choice)
	if err != nil {
		return usagef("%v", err)
	}
	sums, err := s.write(dir)
	if err != nil {
		return err
	}
	r := &pruneReport{
		Schema: "gtk.prune-data/1", Model: s.Path, Data: c.String("data"), Score: name, Runs: s.runs, Keep: choice.Keep, Offset: choice.Offset, DropTop: choice.DropTop,
		Kept: len(kept), Dropped: s.train.Len() - len(kept), PerClass: x.PerClass(kept, s.train.Classes()), Summary: sums[0], Out: dir,
		KeepList: filepath.Join(dir, "keep.txt"), Report: filepath.Join(dir, "report.html"), Notes: s.notes,
	}
	top := suspects(x)
	for _, i := range top {
		r.Suspects = append(r.Suspects, x.IDs[i])
	}
	if hit, total, ok := plantedAmong(s.train, top); ok {
		in, _, _ := plantedAmong(s.train, kept)
		r.Planted = &plantedJSON{total, hit, total - in}
	}
	if c.Bool("prove") {
		if r.Proof, err = s.prove(ctx, e, c, kept); err != nil {
			return err
		}
	}
	if err := s.writePruned(c, r, x, kept, choice, e.Seed); err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	return e.printPruned(r)
}

func pruneUsage(c *ucli.Context, choice prune.Choice) error {
	switch {
	case !(choice.Keep > 0 && choice.Keep <= 1):
		return usagef("--keep %v: want a number above 0 and up to 1", choice.Keep)
	case choice.Offset != nil && choice.DropTop != 0:
		return usagef("--offset and --drop-top exclude each other")
	case choice.Offset != nil && !(*choice.Offset >= 0 && *choice.Offset < 1):
		return usagef("--offset %v: want a number from 0 to below 1", *choice.Offset)
	case choice.Offset != nil && choice.Keep+*choice.Offset > 1:
		return usagef("--keep %v and --offset %v are more than the whole", choice.Keep, *choice.Offset)
	case !(choice.DropTop >= 0 && choice.DropTop < 1):
		return usagef("--drop-top %v: want a number from 0 to below 1", choice.DropTop)
	case choice.Keep+choice.DropTop > 1:
		return usagef("--keep %v and --drop-top %v are more than the whole", choice.Keep, choice.DropTop)
	case c.Int("prove-epochs") < 1:
		return usagef("--prove-epochs %d: want at least 1", c.Int("prove-epochs"))
	case c.String("val") != "" && !c.Bool("prove"):
		return usagef("--val is for --prove only")
	}
	return oneScore(c)
}

// holdOut finds the data that the proof is measured on.
func (s *scoring) holdOut(e *env, c *ucli.Context) error {
	if spec := c.String("val"); spec != "" {
		classes := s.Labels
		if classes == nil {
			classes = s.train.Classes()
		}
		ds, err := data.Open(spec, dataOptions(c, classes))
		if err != nil {
			return fmt.Errorf("--val: %w", err)
		}
		s.val = s.cachedAlike(ds)
		return nil
	}
	all := s.train
	var err error
	if s.train, s.val, err = data.Split(all, 0.2, e.Seed); err != nil {
		return err
	}
	s.notes = append(s.notes, fmt.Sprintf("%d of the %d examples are held out for the proof and neither scored nor kept; give --val to avoid that", s.val.Len(), all.Len()))
	return nil
}

// cachedAlike is ds with the preprocessing that s.pre continues.
func (s *scoring) cachedAlike(ds data.Dataset) data.Dataset {
	if s.stored == nil || s.pre == s.stored {
		return ds
	}
	cached, _ := data.Cache(ds, *s.stored, cacheBytes)
	return cached
}

// prove trains the model of the first run on all, kept and random examples for the same number of steps.
func (s *scoring) prove(ctx context.Context, e *env, c *ucli.Context, kept []int) (*proof, error) {
	p := &proof{N: s.val.Len()}
	order := data.Shuffled(s.train.Len(), e.Seed^0x70726f6f66).Order(0)
	subsets := []struct {
		what string
		idx  []int
		acc  *float64
	}{{"all", nil, &p.Full}, {"kept", kept, &p.Pruned}, {"random", order[:len(kept)], &p.Random}}
	for _, x := range subsets {
		ds := s.train
		if x.idx != nil {
			var err error
			if ds, err = data.Subset(ds, x.idx); err != nil {
				return nil, err
			}
		}
		m, err := s.fresh(e, 0)
		if err != nil {
			return nil, err
		}
		cfg, _, err := e.loopConfig(c, m)
		if err != nil {
			return nil, err
		}
		cfg.Preprocess, cfg.Epochs = s.pre, c.Int("prove-epochs")
		if x.idx != nil {
			cfg.MaxSteps, cfg.Epochs = p.Steps, p.Steps // more epochs than it can take
		}
		res, err := e.quietFit(ctx, m, ds, cfg, "proof: "+x.what)
		if err != nil {
			return nil, err
		}
		p.Steps = res.Steps
		v, err := train.Evaluate(ctx, m, s.val, train.EvalConfig{Loss: cfg.Loss, Preprocess: s.pre})
		if err != nil {
			return nil, err
		}
		*x.acc = v.Accuracy
	}
	return p, nil
}

// writePruned writes keep list, manifest, subset and report.
func (s *scoring) writePruned(c *ucli.Context, r *pruneReport, x *prune.Scores, kept []int, choice prune.Choice, seed uint64) error {
	if err := writeTo(r.KeepList, func(w io.Writer) error { return x.WriteKeep(w, kept) }); err != nil {
		return err
	}
	m := prune.Manifest{
		Schema: "gtk.prune/1", Score: r.Score, Runs: s.runs, Data: r.Data, Model: s.Path, Keep: choice.Keep, Offset: choice.Offset, DropTop: choice.DropTop, Balance: choice.Balance,
		Seed: seed, Total: s.train.Len(), Kept: len(kept), PerClass: r.PerClass,
	}
	if err := writeTo(filepath.Join(r.Out, "manifest.json"), m.Write); err != nil {
		return err
	}
	if c.Bool("export") {
		if err := s.export(c, r, kept); err != nil {
			return err
		}
	}
	page := report.New(strings.TrimSuffix(filepath.Base(s.Path), ".onnx"),
		fmt.Sprintf("%d of %d training examples are worth keeping, by %s.", r.Kept, r.Kept+r.Dropped, r.Score))
	page.Kicker, page.Footer = "gtk prune-data", "Made by gtk prune-data. The examples to keep are named in keep.txt beside this page."
	facts := append(s.facts(), report.Fact{Label: "Kept", Value: fmt.Sprint(r.Kept), Detail: choiceText(choice)})
	if p := r.Planted; p != nil {
		facts = append(facts, report.Fact{Label: "Planted label errors", Value: fmt.Sprintf("%d of %d", p.Among, p.Total), Detail: "are among the 2 % highest scores", Tone: report.Good})
	}
	top := page.Section("", "").Add(facts)
	for _, n := range s.notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	if r.Proof != nil {
		r.Proof.section(page)
	}
	s.section(page, r.Score, kept)
	if err := writeTo(r.Report, page.Write); err != nil {
		return err
	}
	return writeConfig(c, filepath.Join(r.Out, "run.yaml"))
}

// export writes the kept examples as they are in the data set.
func (s *scoring) export(c *ucli.Context, r *pruneReport, kept []int) error {
	raw, err := data.Open(c.String("data"), dataOptions(c, s.Labels))
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i := range raw.Len() {
		at[raw.ID(i)] = i
	}
	var idx []int
	for _, i := range kept {
		idx = append(idx, at[s.train.ID(i)])
	}
	sub, err := data.Subset(raw, idx)
	if err != nil {
		return err
	}
	first, err := sub.Example(0)
	if err != nil {
		return err
	}
	if first.Picture {
		r.Subset = filepath.Join(r.Out, "subset")
		return data.WriteImageFolder(r.Subset, sub, true)
	}
	r.Subset = filepath.Join(r.Out, "subset.npz")
	return writeFile(r.Subset, func(f *os.File) error { return data.WriteNPZ(f, sub) })
}

func (p *proof) section(page *report.Report) {
	t := report.Table{Head: []string{"Trained on", "Accuracy"}}
	for _, x := range []struct {
		name string
		acc  float64
	}{{"all examples", p.Full}, {"the kept ones", p.Pruned}, {"as many random ones", p.Random}} {
		t.Rows = append(t.Rows, []report.Cell{report.C(x.name), report.Percent(x.acc)})
	}
	page.Section("Proof", fmt.Sprintf("The same model trained for the same %d steps, measured on %d examples that took no part.", p.Steps, p.N)).Add(t)
}

func (e *env) printPruned(r *pruneReport) error {
	if err := e.printScores([]scoreSummary{r.Summary}); err != nil {
		return err
	}
	e.printf("kept %d, dropped %d\n", r.Kept, r.Dropped)
	if p := r.Planted; p != nil {
		e.printf("labels planted wrong: %d; %d of them among the %d suspects, %d dropped\n", p.Total, p.Among, len(r.Suspects), p.Dropped)
	}
	if p := r.Proof; p != nil {
		e.printf("accuracy after %d steps on all %s, kept %s, random %s\n", p.Steps, percent(p.Full), percent(p.Pruned), percent(p.Random))
	}
	e.printf("written: %s, %s\ntrain on the subset: --data keep:%s@%s\n", r.KeepList, r.Report, r.KeepList, r.Data)
	return nil
}

// choiceText says which examples are kept.
func choiceText(c prune.Choice) string {
	text := fmt.Sprintf("%.0f %% of the data", 100*c.Keep)
	switch {
	case c.Offset != nil:
		text += fmt.Sprintf(", those above the lowest %.0f %%", 100**c.Offset)
	case c.DropTop > 0:
		text += fmt.Sprintf(", without the highest %.0f %%", 100*c.DropTop)
	}
	return text
}
