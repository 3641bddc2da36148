package job

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/prune"
	"github.com/gtk-onnx/gtk/task"
)

// PruneConfig says which training examples are kept.
type PruneConfig struct {
	ScoringOptions
	Keep    float64  // share of the examples to keep, in (0,1]; 0 means 0.5
	Offset  *float64 // share with the lowest scores to leave out: the kept ones are those that follow it, not the highest; nil for none
	DropTop float64  // share with the highest scores to leave out first, in [0,1)
	Balance bool     // keep that share of every class
	Export  bool     // also write the kept examples: Out/subset (pictures by class) or Out/subset.npz

	Prove       bool   // train on all, kept and random examples and compare
	ProveEpochs int    // epochs on all examples; the others get as many steps; 0 means 5
	ProveRuns   int    // trainings on kept examples, and on random ones, each from another seed; 0 means 3
	Val         string // data set for the proof; "" holds a fifth of Data out
}

// PruneReport says what is kept.
type PruneReport struct {
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
	Proof    *Proof            `json:"proof"`
	Suspects []string          `json:"suspects"`
	Planted  *Planted          `json:"planted,omitempty"`
	Summary  ScoreSummary      `json:"scores"`
	Out      string            `json:"out"`
	KeepList string            `json:"keep_list"`
	Report   string            `json:"report"`
	Subset   string            `json:"subset,omitempty"`
	Notes    []string          `json:"notes,omitempty"`
}

// Planted says how many of the labels that were planted wrong are found.
type Planted struct {
	Total   int `json:"total"`
	Among   int `json:"among_suspects"`
	Dropped int `json:"dropped"`
}

func (c PruneConfig) choice() prune.Choice {
	return prune.Choice{Keep: cmp.Or(c.Keep, 0.5), Offset: c.Offset, DropTop: c.DropTop, Balance: c.Balance}
}

// openPruning checks the choice and opens model and data.
func (c PruneConfig) openPruning(ctx context.Context, rep Reporter) (*scoring, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s, err := c.open(ctx, "prune-data", rep)
	if err != nil {
		return nil, err
	}
	if c.Balance && s.task.Kind != task.Multiclass && s.task.Kind != task.Binary {
		return nil, usagef("--balance keeps the share of every class, and the examples of a %s task have none of their own; leave it out",
			s.task.Kind)
	}
	if c.Prove {
		return s, s.holdOut(c.Val)
	}
	return s, nil
}

// Prune scores the data as Score does, chooses the examples worth keeping, and writes scores.csv, keep.txt, manifest.json and report.html
// into Out.
func Prune(ctx context.Context, c PruneConfig, rep Reporter) (*PruneReport, error) {
	rep = orQuiet(rep)
	release, err := c.claim(c.Val)
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := c.openPruning(ctx, rep)
	if err != nil {
		return nil, err
	}
	choice, dir := c.choice(), c.Out
	if err := s.run(ctx, rep); err != nil {
		return nil, err
	}
	name := s.names[0]
	x := s.scores[name]
	chosen, err := x.Choose(choice)
	if err != nil {
		return nil, usagef("%v", err)
	}
	kept := chosen.Kept
	if len(chosen.Rescued) > 0 {
		var names []string
		for _, i := range chosen.Rescued {
			names = append(names, s.className(x.Labels[i]))
		}
		note := fmt.Sprintf("of %s none would be kept by the scores alone; the example with the highest score stays, so that no class "+
			"vanishes. --balance keeps the share of every class",
			strings.Join(names, ", "))
		s.notes = append(s.notes, note)
		rep.Note(note)
	}
	folder, err := newResults(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Discard()
	sums, err := s.write(folder)
	if err != nil {
		return nil, err
	}
	r := &PruneReport{
		Schema: "gtk.prune-data/1", Model: s.Path, Data: c.Data, Score: name, Runs: s.runs, Keep: choice.Keep, Offset: choice.Offset,
		DropTop: choice.DropTop,
		Kept:    len(kept), Dropped: s.train.Len() - len(kept), PerClass: x.PerClass(kept, s.train.Classes()), Summary: sums[0], Out: dir,
		KeepList: filepath.Join(dir, "keep.txt"), Report: filepath.Join(dir, "report.html"), Notes: s.notes,
	}
	top := suspects(x)
	for _, i := range top {
		r.Suspects = append(r.Suspects, x.IDs[i])
	}
	if hit, total, ok := plantedAmong(s.train, top); ok {
		in, _, _ := plantedAmong(s.train, kept)
		r.Planted = &Planted{total, hit, total - in}
	}
	if c.Prove {
		if r.Proof, err = s.prove(ctx, kept, c.ProveEpochs, cmp.Or(c.ProveRuns, 3), rep); err != nil {
			return nil, err
		}
	}
	if err := s.writePruned(c, folder, r, x, kept); err != nil {
		return nil, err
	}
	return r, nil
}

// PlanPrune says what Prune would do; Out may be "".
func PlanPrune(ctx context.Context, c PruneConfig, rep Reporter) (*ScoringPlan, error) {
	rep = orQuiet(rep)
	s, err := c.openPruning(ctx, rep)
	if err != nil {
		return nil, err
	}
	p := s.planned(rep)
	p.Kept = int(math.Round(c.choice().Keep * float64(s.train.Len())))
	return p, nil
}

// check looks at what can be checked before anything is read.
func (c PruneConfig) check() error {
	choice := c.choice()
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
	case c.ProveEpochs < 0:
		return usagef("--prove-epochs %d: want at least 1", c.ProveEpochs)
	case c.ProveRuns < 0:
		return usagef("--prove-runs %d: want at least 1", c.ProveRuns)
	case c.Val != "" && !c.Prove:
		return usagef("--val is for --prove only")
	}
	if c.Scores != nil && len(c.Scores) != 1 {
		return usagef("gtk prune-data takes one --score; gtk score-data compares several")
	}
	return nil
}

// writePruned writes keep list, manifest, subset and report.
func (s *scoring) writePruned(c PruneConfig, to *results, r *PruneReport, x *prune.Scores, kept []int) error {
	choice := c.choice()
	if err := to.write(r.KeepList, func(w io.Writer) error { return x.WriteKeep(w, kept) }); err != nil {
		return err
	}
	m := prune.Manifest{
		Schema: "gtk.prune/1", Score: r.Score, Runs: s.runs, Data: r.Data, Model: s.Path, Keep: choice.Keep, Offset: choice.Offset,
		DropTop: choice.DropTop, Balance: choice.Balance,
		Seed: c.Seed, Total: s.train.Len(), Kept: len(kept), PerClass: r.PerClass,
	}
	const manifest = "manifest.json"
	if err := to.write(filepath.Join(r.Out, manifest), m.Write); err != nil {
		return err
	}
	if c.Export {
		if err := s.export(c, to, r, kept); err != nil {
			return err
		}
	}
	page := report.New(strings.TrimSuffix(filepath.Base(s.Path), ".onnx"),
		fmt.Sprintf("%d of %d training examples are worth keeping, by %s.", r.Kept, r.Kept+r.Dropped, r.Score))
	page.Kicker, page.Footer = "gtk prune-data", "Made by gtk prune-data. The examples to keep are named in keep.txt beside this page."
	facts := append(s.facts(), report.Fact{Label: "Kept", Value: fmt.Sprint(r.Kept), Detail: choiceText(choice)})
	if p := r.Planted; p != nil {
		facts = append(facts, report.Fact{Label: "Planted label errors", Value: fmt.Sprintf("%d of %d", p.Among, p.Total),
			Detail: "are among the 2 % highest scores", Tone: report.Good})
	}
	top := page.Section("", "").Add(facts)
	for _, n := range s.notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	if r.Proof != nil {
		r.Proof.section(page)
	}
	s.section(page, r.Score, kept)
	if err := to.replay(c.Replay); err != nil {
		return err
	}
	if err := to.write(r.Report, page.Write); err != nil {
		return err
	}
	return to.Commit(filepath.Base(r.Report), manifest)
}

// export writes the kept examples as they are in the data set.
func (s *scoring) export(c PruneConfig, to *results, r *PruneReport, kept []int) error {
	raw, err := data.Open(c.Data, readOptions(s.named(c.DataOptions), s.Labels, c.UseOptions.remembered(s.Model), s.pre))
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
		return data.WriteImageFolder(to.in(r.Subset), sub, true)
	}
	r.Subset = filepath.Join(r.Out, "subset.npz")
	return to.write(r.Subset, func(f io.Writer) error { return data.WriteNPZ(f, sub) })
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
