package job

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/train"
)

// writePage writes the report of a training, if there is a folder for it.
func (f *finetuning) writePage(r *FinetuneReport, res *train.Result) error {
	if f.out.Report == "" {
		return nil
	}
	page := report.New(strings.TrimSuffix(filepath.Base(f.Path), ".onnx"),
		fmt.Sprintf("Trained on %s. %s.", r.Data, capital(f.task.String())))
	page.Kicker, page.Footer = "gtk finetune", "Made by gtk finetune. The numbers of each epoch are in "+metricsCSV+" and "+metricsJSON+
		" "+
		"beside this page."
	top := page.Section("", "").Add(f.facts(r, res))
	for _, n := range r.Notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	if !f.way.page(f, page, res) {
		if charts := f.charts(res); len(charts) > 0 {
			page.Section("Curves", "").Add(charts)
		}
	}
	if err := f.quality(page, res.After); err != nil {
		return err
	}
	if t, ok := epochTable(res); ok {
		page.Section(capital(f.way.epochs())+"s", "").Add(t)
	}
	s := page.Section("Settings", "What the result depends on.").Add(f.settings())
	s.Add(report.Heading("Why these labels and outputs are taken so"))
	for _, w := range r.Why {
		s.Add(report.Text(capital(w) + "."))
	}
	return WriteFile(filepath.Join(f.out.Report, reportPage), page.Write)
}

// capital is a sentence with its first letter large.
func capital(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] }

// facts are the tiles at the top.
func (f *finetuning) facts(r *FinetuneReport, res *train.Result) report.Facts {
	name := MetricName(r.Metric)
	var fs report.Facts
	if a := res.After; a != nil {
		was, is := res.Before.Metric(r.Metric), a.Metric(r.Metric)
		tone := report.Good
		if _, lower := f.task.Primary(); lower && is > was || !lower && is < was {
			tone = report.Bad
		}
		fs = append(fs, report.Fact{Label: "Validation " + name, Value: MetricText(r.Metric, is),
			Detail: "before " + MetricText(r.Metric, was), Tone: tone},
			report.Fact{Label: "Validation loss", Value: fmt.Sprintf("%.4g", a.Loss), Detail: fmt.Sprintf("before %.4g", res.Before.Loss)})
	} else {
		fs = append(fs, report.Fact{Label: "Loss of the last epoch", Value: fmt.Sprintf("%.4g", res.TrainLoss)})
	}
	if b := r.Best; b != nil {
		fs = append(fs, report.Fact{Label: "Best " + f.way.epochs(), Value: fmt.Sprint(b.Epoch),
			Detail: fmt.Sprintf("%s %s, in %s", name, MetricText(b.Metric, float64(b.Value)), filepath.Base(b.Path))})
	}
	return append(fs,
		report.Fact{Label: capital(f.way.epochs()) + "s", Value: fmt.Sprint(r.Epochs),
			Detail: fmt.Sprintf("%s of %s", units.Plural(r.Steps, "step"), units.Plural(f.cfg.Batch(f.train.Len()), "example"))},
		report.Fact{Label: "Time", Value: units.Time(r.Seconds)},
		report.Fact{Label: "Trained parameters", Value: units.Count(r.Params), Detail: "in " + units.Plural(len(f.cfg.Params), "tensor")})
}

// series is a line over the epochs.
func series(name string, res *train.Result, of func(train.EpochReport) (float64, bool)) report.Series {
	s := report.Series{Name: name, X: []float64{}}
	for _, h := range res.History {
		if v, ok := of(h); ok {
			s.X, s.Y = append(s.X, float64(h.Epoch)), append(s.Y, v)
		}
	}
	return s
}

// charts are loss and metrics over the epochs, and the loss of each step.
func (f *finetuning) charts(res *train.Result) report.Columns {
	var cs report.Columns
	var marks []report.Mark
	if b := res.Best; b != nil {
		marks = []report.Mark{{X: float64(b.Epoch), Label: "best"}}
	}
	if len(res.History) > 1 {
		loss := report.LineChart{Title: "Loss by epoch", XLabel: "epoch", YLabel: f.task.Name, Marks: marks, Series: []report.Series{
			series("training", res, func(h train.EpochReport) (float64, bool) { return h.TrainLoss, true })}}
		if f.val != nil {
			loss.Series = append(loss.Series, series("validation", res,
				func(h train.EpochReport) (float64, bool) { return valOf(h, "loss") }))
		}
		cs = append(cs, loss)
	}
	if a := res.After; a != nil && len(res.History) > 1 {
		for _, m := range a.Metrics {
			c := report.LineChart{Title: capital(MetricName(m.Name)) + " by epoch", XLabel: "epoch", Marks: marks, Series: []report.Series{
				series("validation", res, func(h train.EpochReport) (float64, bool) { return valOf(h, m.Name) })}}
			if m.Name == "accuracy" {
				c.Series = []report.Series{series("training", res, func(h train.EpochReport) (float64, bool) { return h.TrainAcc, true }),
					c.Series[0]}
			}
			cs = append(cs, c)
		}
	}
	if s := f.losses; len(s.at) > 5 {
		cs = append(cs, report.LineChart{Title: "Loss by step", XLabel: "step", YLabel: f.task.Name,
			Series: []report.Series{{Name: "training", X: s.at, Y: s.loss}}})
	}
	if len(res.Sizes) > 1 {
		s := report.Series{Name: "batch size"}
		for i, c := range res.Sizes {
			if i > 0 { // it stays until it changes
				s.X, s.Y = append(s.X, float64(c.Examples)), append(s.Y, float64(res.Sizes[i-1].Size))
			}
			s.X, s.Y = append(s.X, float64(c.Examples)), append(s.Y, float64(c.Size))
		}
		s.X, s.Y = append(s.X, float64(res.Examples)), append(s.Y, s.Y[len(s.Y)-1])
		cs = append(cs, report.LineChart{Title: "Batch size", XLabel: "examples", Series: []report.Series{s}})
	}
	if len(res.History) > 1 {
		cs = append(cs, report.LineChart{Title: "Learning rate", XLabel: "epoch", Series: []report.Series{
			series("learning rate", res, func(h train.EpochReport) (float64, bool) { return h.LR, true })}})
	}
	return cs
}

// mostEpochRows is shown of a table of epochs, the last ones.
const mostEpochRows = 60

func epochTable(res *train.Result) (t report.Table, ok bool) {
	rows := (&trainLog{rows: res.History}).columns()
	for i, c := range rows {
		t.Head = append(t.Head, strings.ReplaceAll(c.name, "_", " "))
		t.Numeric = append(t.Numeric, i)
	}
	all := res.History
	if len(all) > mostEpochRows {
		t.Caption = fmt.Sprintf("The last %d of %d epochs", mostEpochRows, len(all))
		all = all[len(all)-mostEpochRows:]
	}
	for _, h := range all {
		var row []report.Cell
		for _, c := range rows {
			v, has := c.of(h)
			cell := report.Num(v, 4)
			if !has || v != v {
				cell = report.C("–")
			}
			if b := res.Best; b != nil && b.Epoch == h.Epoch && c.name == "epoch" {
				cell.Text, cell.Tone = cell.Text+" best", report.Good
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t, len(t.Rows) > 0
}

// settings are the traits of the run, those that are off left out.
func (f *finetuning) settings() report.Settings {
	s := report.Settings{{Name: "model", Value: f.Path}, {Name: "data", Value: f.c.Data}}
	if f.c.Val != "" {
		s = append(s, report.Setting{Name: "val", Value: f.c.Val})
	}
	if f.c.ValSplit > 0 {
		s = append(s, report.Setting{Name: "val-split", Value: fmt.Sprintf("%g, ids in %s", f.c.ValSplit, valIDs)})
	}
	s = append(s, report.Setting{Name: "loss", Value: f.task.Name},
		report.Setting{Name: "batch-size", Value: fmt.Sprint(f.cfg.Batch(f.train.Len()))},
		report.Setting{Name: "epochs", Value: fmt.Sprint(f.cfg.Epochs)}, report.Setting{Name: "seed", Value: fmt.Sprint(f.cfg.Seed)})
	for _, t := range f.traits() {
		if t.Value != "" && t.Value != "false" && t.Value != "0" && t.Name != "val-split" {
			s = append(s, report.Setting{Name: t.Name, Value: t.Value})
		}
	}
	for _, x := range []struct {
		name string
		on   bool
		what string
	}{
		{"memory-limit", f.cfg.Memory > 0, units.Size(f.cfg.Memory)},
		{"micro-batch", f.cfg.MicroBatch > 0, fmt.Sprint(f.cfg.MicroBatch)}, {"batch-adapt", f.cfg.Growth != nil, f.batchAdapt()},
		{"bn", f.cfg.BN != 0, "train"}, {"dropout", f.cfg.Dropout, "yes"}, {"no-decay-1d", f.cfg.NoDecay1D, "yes"},
		{"shuffle", !f.cfg.Shuffle, "no"}, {"max-steps", f.cfg.MaxSteps > 0, fmt.Sprint(f.cfg.MaxSteps)},
		{"patience", f.cfg.Patience > 0, fmt.Sprint(f.cfg.Patience)},
	} {
		if x.on {
			s = append(s, report.Setting{Name: x.name, Value: x.what})
		}
	}
	return s
}
