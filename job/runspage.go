package job

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
)

// mostCurves are drawn in one chart, as many as there are colours.
const mostCurves = 8

// page is the comparison as a page.
func (r *CompareReport) page() *report.Report {
	page := report.New(units.Plural(len(r.Runs), "run"),
		"Side by side: how good they are, how they got there, and what differs in how they were made.")
	page.Kicker, page.Footer = "gtk runs compare", "Made by gtk runs compare."
	top := page.Section("Results", "").Add(runTable(r.Runs))
	for _, n := range r.Notes {
		top.Add(report.Note{Tone: report.Warn, Text: capital(n) + "."})
	}
	drawn, lead := r.Runs, ""
	if len(drawn) > mostCurves {
		drawn = append([]*RunFolder(nil), drawn...)
		sortByMetric(drawn)
		drawn = drawn[:mostCurves]
		lead = fmt.Sprintf("The best %d of %d runs.", mostCurves, len(r.Runs))
	}
	if cs := runCurves(drawn); len(cs) > 0 {
		page.Section("Curves", lead).Add(cs)
	}
	r.settings(page)
	return page
}

// settings are tables of what differs and of what does not.
func (r *CompareReport) settings(page *report.Report) {
	s := page.Section("Settings", "What differs between the runs.")
	if len(r.Differs) == 0 {
		s.Add(report.Text("Nothing: all were made in the same way."))
	} else {
		t := report.Table{Head: []string{"Run"}}
		for _, d := range r.Differs {
			t.Head = append(t.Head, d.Name)
		}
		for i, x := range r.Runs {
			row := []report.Cell{{Text: x.Name, Code: true}}
			for _, d := range r.Differs {
				v := d.Values[i]
				if v == "" {
					v = "–"
				}
				row = append(row, report.C(v))
			}
			t.Rows = append(t.Rows, row)
		}
		s.Add(t)
	}
	var same report.Settings
	for _, n := range slices.Sorted(maps.Keys(r.Same)) {
		same = append(same, report.Setting{Name: n, Value: fmt.Sprint(r.Same[n])})
	}
	if len(same) > 0 {
		s.Add(report.Details{Summary: "The same in all", Blocks: []report.Block{same}})
	}
}

// runTable is a row for each run, the best of each column marked.
func runTable(runs []*RunFolder) report.Table {
	metrics := metricNames(runs)
	if len(metrics) > 4 {
		metrics = metrics[:4]
	}
	t := report.Table{Head: []string{"Run", "State"}}
	best := map[string]float64{}
	for _, n := range metrics {
		t.Numeric = append(t.Numeric, len(t.Head))
		t.Head = append(t.Head, capital(MetricName(n)))
		for _, r := range runs {
			v, lower := r.bestOf(n)
			if old, ok := best[n]; v == v && (!ok || better(v, old, lower)) {
				best[n] = v
			}
		}
	}
	for i := range 5 {
		t.Numeric = append(t.Numeric, len(t.Head)+i)
	}
	t.Head = append(t.Head, "Best epoch", "Validation loss", "Training loss", "Epochs", "Time")
	for _, r := range runs {
		row := []report.Cell{{Text: r.Name, Code: true}, state(r)}
		for _, n := range metrics {
			v, _ := r.bestOf(n)
			c := report.C("–")
			if v == v {
				c = report.C(MetricText(n, v))
			}
			if old, ok := best[n]; ok && v == old && len(runs) > 1 {
				c.Tone = report.Good
			}
			row = append(row, c)
		}
		epoch, loss := report.C("–"), report.C("–")
		if r.Best != nil {
			epoch, loss = report.C(fmt.Sprint(r.Best.Epoch)), numCell(float64(r.Best.Loss))
		}
		t.Rows = append(t.Rows, append(row, epoch, loss, numCell(float64(r.TrainLoss)), report.C(fmt.Sprint(r.Epochs)),
			report.C(units.Time(r.Seconds))))
	}
	return t
}

func numCell(v float64) report.Cell {
	if v != v {
		return report.C("–")
	}
	return report.Num(v, 4)
}

func state(r *RunFolder) report.Cell {
	c := report.C(r.Status)
	switch r.Status {
	case RunDiverged:
		c.Tone = report.Bad
	case RunUnfinished:
		c.Tone = report.Warn
	}
	return c
}

// bestOf is a metric in the best epoch, and whether lower is better; NaN where it was not measured.
func (r *RunFolder) bestOf(metric string) (v float64, lower bool) {
	lower = metricLower(metric)
	if r.Best == nil {
		return math.NaN(), lower
	}
	if metric == r.Metric {
		return float64(r.Best.Value), lower
	}
	for _, q := range r.History {
		if q.Epoch == r.Best.Epoch && q.Val != nil {
			if v, ok := q.Val.Metrics[metric]; ok {
				return float64(v), lower
			}
		}
	}
	return math.NaN(), lower
}

// runCurves are charts with a line for each run.
func runCurves(runs []*RunFolder) report.Columns {
	var cs report.Columns
	chart := func(title, x string, of func(r *RunFolder, q EpochQuality) (float64, bool), at func(*RunFolder) func(EpochQuality) float64) {
		c := report.LineChart{Title: title, XLabel: x}
		some := false
		for _, r := range runs {
			s := report.Series{Name: r.Name, X: []float64{}}
			at := at(r)
			for _, q := range r.History {
				x := at(q)
				if v, ok := of(r, q); ok {
					s.X, s.Y = append(s.X, x), append(s.Y, v)
				}
			}
			some = some || len(s.X) > 1
			c.Series = append(c.Series, s)
		}
		if some {
			cs = append(cs, c)
		}
	}
	byEpoch := func(*RunFolder) func(EpochQuality) float64 {
		return func(q EpochQuality) float64 { return float64(q.Epoch) }
	}
	byTime := func(*RunFolder) func(EpochQuality) float64 {
		t := 0.0
		return func(q EpochQuality) float64 {
			t += q.Seconds
			return t
		}
	}
	of := func(n string) func(*RunFolder, EpochQuality) (float64, bool) {
		return func(_ *RunFolder, q EpochQuality) (float64, bool) {
			if q.Val == nil {
				return 0, false
			}
			v, ok := q.Val.Metrics[n]
			return float64(v), ok
		}
	}
	metrics := metricNames(runs)
	for i, n := range metrics {
		if i < 4 {
			chart(capital(MetricName(n))+" on the validation data", "epoch", of(n), byEpoch)
		}
	}
	chart("Validation loss", "epoch", func(_ *RunFolder, q EpochQuality) (float64, bool) {
		if q.Val == nil {
			return 0, false
		}
		return float64(q.Val.Loss), true
	}, byEpoch)
	chart("Training loss", "epoch", func(_ *RunFolder, q EpochQuality) (float64, bool) { return float64(q.TrainLoss), true }, byEpoch)
	if len(metrics) > 0 {
		chart(capital(MetricName(metrics[0]))+" by time", "seconds of training", of(metrics[0]), byTime)
	}
	chart("Learning rate", "epoch", func(_ *RunFolder, q EpochQuality) (float64, bool) { return float64(q.LR), true }, byEpoch)
	steps := report.LineChart{Title: "Training loss by step", XLabel: "step"}
	for _, r := range runs {
		if len(r.losses.at) > 5 {
			steps.Series = append(steps.Series, report.Series{Name: r.Name, X: r.losses.at, Y: r.losses.loss})
		}
	}
	if len(steps.Series) > 1 {
		cs = append(cs, steps)
	}
	return cs
}
