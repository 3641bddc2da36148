package job

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
)

// LRFindConfig says for which training a learning rate is looked for.
type LRFindConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Data               string       // data set, FORMAT:PATH[#SPLIT]; required
	DataOptions        data.Options // of reading
	UseOptions                      // what inputs and outputs mean
	NumClasses         string       // as in FinetuneConfig, as are the next two
	Standardise        bool         //
	StandardiseTargets bool         //
	TrainOptions                    // LR, Schedule and Warmup are not used
	LoRA               *LoRA        // Form and Out are not used
	Distill            *Distill     //
	From, To           float64      // learning rates of the first and the last step; 0 means 1e-7 and 10
	Steps              int          // 0 means 100
	Out                string       // folder for report.html and curve.csv; "" for none
	Replay             []byte       // content of the run.yaml that is written there; nil for none
	Force              bool         // write into a folder that is not empty
	Seed               uint64       // of everything random
}

// LRFindReport is what a learning-rate range test found.
type LRFindReport struct {
	Schema    string    `json:"schema"`
	Model     string    `json:"model"`
	Data      string    `json:"data"`
	Task      string    `json:"task"`
	LossName  string    `json:"loss_name"`
	Optimizer string    `json:"optimizer"`
	BatchSize int       `json:"batch_size"`
	Suggested Number    `json:"suggested"` // where the loss falls fastest; where it never does, a tenth of where it rises; else null
	Lowest    Number    `json:"lowest"`    // where it is lowest
	Rises     Number    `json:"rises"`     // from where on it is higher than before; null when it is nowhere
	Clear     bool      `json:"clear"`     // the loss falls by more than it scatters
	Stopped   bool      `json:"stopped"`   // it exploded before the last rate
	Curve     []LRPoint `json:"curve"`
	Out       string    `json:"out,omitempty"`
	Report    string    `json:"report,omitempty"`
	Seconds   float64   `json:"seconds"`
	Notes     []string  `json:"notes,omitempty"`
}

// LRPoint is the loss at a learning rate: of the batch before the step, and smoothed over its neighbours.
type LRPoint struct {
	LR       float64 `json:"lr"`
	Loss     Number  `json:"loss"`
	Smoothed Number  `json:"smoothed"`
}

// LRFind looks for a learning rate by a range test (train.RangeTest), on a copy of the model in memory.
func LRFind(ctx context.Context, c LRFindConfig, rep Reporter) (*LRFindReport, error) {
	rep = orQuiet(rep)
	switch {
	case c.Data == "":
		return nil, usagef("gtk lr-find: --data is missing; see gtk data --list")
	case c.From < 0 || c.To < 0 || math.IsNaN(c.From) || math.IsNaN(c.To) || c.From > 0 && c.To > 0 && c.From >= c.To:
		return nil, usagef("--from %v --to %v: want learning rates, the smaller first", c.From, c.To)
	case c.Steps != 0 && c.Steps < 10:
		return nil, usagef("--steps %d: want at least 10", c.Steps)
	}
	if info, err := optim.Lookup(cmp.Or(c.Optimizer, "adam")); err == nil && info.FullBatch {
		return nil, usagef("--optimizer %s looks for the length of each step itself, so there is no learning rate to find", c.Optimizer)
	}
	training := FinetuneConfig{
		Model: c.Model, ModelOptions: c.ModelOptions, Data: c.Data, DataOptions: c.DataOptions, UseOptions: c.UseOptions,
		NumClasses:  c.NumClasses,
		Standardise: c.Standardise, StandardiseTargets: c.StandardiseTargets, TrainOptions: c.TrainOptions, Distill: c.Distill,
		Seed: c.Seed,
	}
	if c.LoRA != nil {
		training.LoRA = &LoRA{Rank: c.LoRA.Rank, Alpha: c.LoRA.Alpha, Target: c.LoRA.Target, Form: "beside"}
	}
	if err := training.check(); err != nil {
		return nil, err
	}
	release, err := claim(reads(c.Model, c.ModelOptions, c.Data), output{flag: "--out", path: c.Out, folder: true, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	start := time.Now()
	f, err := training.prepare(ctx, rep)
	if err != nil {
		return nil, err
	}
	o := train.RangeOptions{From: c.From, To: c.To, Steps: cmp.Or(c.Steps, train.RangeSteps)}
	rep.Say(f.task.String())
	stage := rep.Stage("lr-find", o.Steps)
	defer stage.End()
	cfg := f.cfg
	cfg.Val, cfg.Note = nil, rep.Note
	cfg.Step = func(p train.Progress) error {
		stage.Set(p.Step, fmt.Sprintf("lr %.2g loss %.4f", p.LR, p.BatchLoss))
		return nil
	}
	x, err := train.RangeTest(ctx, f.Model.Model, f.train, cfg, o)
	if errors.Is(err, train.ErrDiverged) {
		return nil, fmt.Errorf("at the smallest learning rates already: %w", err)
	}
	if err != nil {
		return nil, err
	}
	r := &LRFindReport{
		Schema: "gtk.lr-find/1", Model: f.Path, Data: c.Data, Task: string(f.task.Kind), LossName: f.task.Name, Optimizer: f.optimizer(),
		BatchSize: f.cfg.Batch(f.train.Len()),
		Suggested: Number(x.Suggested), Lowest: Number(x.Lowest), Rises: Number(x.Rises), Clear: x.Clear, Stopped: x.Stopped,
		Notes: f.notes, Out: c.Out,
	}
	for _, p := range x.Curve {
		r.Curve = append(r.Curve, LRPoint{p.LR, Number(p.Loss), Number(p.Smoothed)})
	}
	if !x.Clear {
		n := "the loss falls nowhere by more than it scatters from batch to batch, so the model has learnt these data already, or cannot"
		if math.IsNaN(x.Suggested) {
			n += "; it does not rise either, and nothing can be suggested: try a larger --to, --steps or --batch-size"
		} else {
			n += fmt.Sprintf("; the suggestion is a tenth of %.2g, from where on it rises", x.Rises)
		}
		f.notes = append(f.notes, n)
		r.Notes = f.notes
		rep.Note(n)
	}
	r.Seconds = time.Since(start).Seconds()
	return r, f.writeRange(c, r)
}

// writeRange writes the page and the curve.
func (f *finetuning) writeRange(c LRFindConfig, r *LRFindReport) error {
	if c.Out == "" {
		return nil
	}
	folder, err := newResults(c.Out)
	if err != nil {
		return err
	}
	defer folder.Discard()
	r.Report = filepath.Join(c.Out, "report.html")
	page := report.New(strings.TrimSuffix(filepath.Base(f.Path), ".onnx"),
		fmt.Sprintf("Learning rates for training on %s with %s. %s.", r.Data, r.Optimizer, capital(f.task.String())))
	page.Kicker, page.Footer = "gtk lr-find", "Made by gtk lr-find. The numbers are in curve.csv beside this page."
	top := page.Section("", "").Add(report.Facts{
		{Label: "Suggested", Value: fmt.Sprintf("%.2g", float64(r.Suggested)), Tone: report.Good},
		{Label: "Lowest loss", Value: fmt.Sprintf("%.2g", float64(r.Lowest)), Detail: "too large to train with"},
		{Label: "Steps", Value: fmt.Sprint(len(r.Curve)), Detail: "of " + units.Plural(r.BatchSize, "example")},
	})
	for _, n := range r.Notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	chart := report.LineChart{Title: "Loss by learning rate", XLabel: "learning rate", YLabel: r.LossName, LogX: true,
		Series: []report.Series{{Name: "of each batch"}, {Name: "smoothed"}},
		Marks:  []report.Mark{{X: float64(r.Suggested), Label: "suggested"}}}
	high := math.Inf(-1) // what is drawn: an explosion would hide the rest
	for _, p := range r.Curve {
		if p.LR <= float64(r.Lowest) {
			high = max(high, float64(p.Loss))
		}
	}
	for _, p := range r.Curve {
		for i, y := range []Number{p.Loss, p.Smoothed} {
			if s := &chart.Series[i]; float64(y) <= high+0.5*math.Abs(high) {
				s.X, s.Y = append(s.X, p.LR), append(s.Y, float64(y))
			}
		}
	}
	settings := slices.DeleteFunc(f.settings(), func(s report.Setting) bool {
		return slices.Contains([]string{"lr", "schedule", "epochs"}, s.Name)
	})
	page.Section("Curve", "The learning rate grows exponentially from step to step; the model is then given its weights back. Smith 2015, "+
		"arXiv 1506.01186.").Add(report.Columns{chart, settings})
	if err := folder.write(r.Report, page.Write); err != nil {
		return err
	}
	if err := folder.replay(c.Replay); err != nil {
		return err
	}
	err = folder.write(filepath.Join(c.Out, "curve.csv"), func(w io.Writer) error {
		t := csv.NewWriter(w)
		t.Write([]string{"lr", "loss", "smoothed"})
		num := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
		for _, p := range r.Curve {
			t.Write([]string{num(p.LR), num(float64(p.Loss)), num(float64(p.Smoothed))})
		}
		t.Flush()
		return t.Error()
	})
	if err != nil {
		return err
	}
	return folder.Commit(filepath.Base(r.Report))
}
