package job

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
)

// page is a sweep as a page.
func (c *SweepConfig) page(r *SweepReport) *report.Report {
	page := report.New("Sweep of "+axisNames(r.Trials[0].Values), fmt.Sprintf("%s, %s search. Each trial is a run in a folder of its own.",
		units.Plural(len(r.Trials), "trial"), r.Search))
	page.Kicker, page.Footer = "gtk sweep",
		"Made by gtk sweep. The numbers are in "+sweepFile+" beside this page; the folder of each trial has its own page."
	done := 0
	for _, t := range r.Trials {
		if t.Status == RunDone {
			done++
		}
	}
	top := page.Section("", "").Add(report.Facts{
		{Label: "Best " + MetricName(r.Metric), Value: MetricText(r.Metric, float64(r.Best.Value)), Tone: report.Good,
			Detail: fmt.Sprintf("%s, epoch %d of %s", sweepName(r.Best.Values), r.Best.Epoch, r.Best.Name)},
		{Label: "Trials", Value: fmt.Sprint(len(r.Trials)), Detail: fmt.Sprintf("%d done", done)},
		{Label: "Time", Value: units.Time(r.Seconds)},
	})
	if r.Command != "" {
		top.Add(report.Heading("The best again"),
			report.Table{Head: []string{"Command"}, Rows: [][]report.Cell{{{Text: r.Command, Code: true}}}})
	}
	page.Section("Trials", "The best first, in each rung.").Add(r.table())
	if cs := r.effects(); len(cs) > 0 {
		page.Section("What the values do",
			"Each point is a trial. Where several flags were varied, the others differ from point to point.").Add(cs)
	}
	var runs []*RunFolder
	rung := r.Best.Rung
	for rung > 1 && len(r.ranked(rung)) < 2 {
		rung--
	}
	for _, t := range r.ranked(rung) {
		if run, err := ReadRun(filepath.Join(c.Out, t.Name)); err == nil && len(runs) < mostCurves {
			run.Name = clipName(sweepName(t.Values))
			runs = append(runs, run)
		}
	}
	if cs := runCurves(runs); len(runs) > 1 && len(cs) > 0 {
		page.Section("Curves", fmt.Sprintf("The best %d trials.", len(runs))).Add(cs)
	}
	s := report.Settings{{Name: "search", Value: r.Search}, {Name: "seed", Value: fmt.Sprint(r.Seed)}}
	for _, o := range r.Over {
		s = append(s, report.Setting{Name: "over", Value: o})
	}
	for _, n := range slices.Sorted(maps.Keys(r.Base)) {
		if n != "seed" {
			s = append(s, report.Setting{Name: n, Value: r.Base[n]})
		}
	}
	page.Section("Settings", "What all trials have in common.").Add(s)
	return page
}

// clipName is s at most as long as a key of a chart takes.
func clipName(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return s
}

func axisNames(values []SweepValue) string {
	out := ""
	for i, v := range values {
		switch {
		case i == 0:
		case i == len(values)-1:
			out += " and "
		default:
			out += ", "
		}
		out += v.Name
	}
	return out
}

// Sorted are all trials: the last rung first, in each the best first and those without an end last.
func (r *SweepReport) Sorted() []*TrialReport {
	var out []*TrialReport
	for rung := r.last(); rung >= 0; rung-- {
		out = append(out, r.ranked(rung)...)
		for _, t := range r.Trials {
			if t.Rung == rung && t.Status != RunDone {
				out = append(out, t)
			}
		}
	}
	return out
}

// table is a row for each trial.
func (r *SweepReport) table() report.Table {
	t := report.Table{Head: []string{"Trial"}}
	for _, v := range r.Trials[0].Values {
		t.Head = append(t.Head, v.Name)
	}
	rungs := len(r.rungs) > 0
	if rungs {
		t.Numeric = append(t.Numeric, len(t.Head))
		t.Head = append(t.Head, "Epochs")
	}
	for i := range 5 {
		t.Numeric = append(t.Numeric, len(t.Head)+i)
	}
	t.Head = append(t.Head, capital(MetricName(r.Metric)), "Best epoch", "Validation loss", "Training loss", "Time", "State")
	for _, x := range r.Sorted() {
		row := []report.Cell{{Text: x.Name, Code: true}}
		for _, v := range x.Values {
			row = append(row, report.C(orNone(v.Value)))
		}
		if rungs {
			row = append(row, report.C(fmt.Sprint(x.Epochs)))
		}
		value := report.C("–")
		if v := float64(x.Value); v == v {
			value = report.C(MetricText(r.Metric, v))
		}
		if x == r.Best {
			value.Tone = report.Good
		}
		state := report.C(x.Status)
		if x.Status != RunDone {
			state.Tone = report.Bad
			if x.Error != "" {
				state.Text += ": " + x.Error
			}
		}
		t.Rows = append(t.Rows, append(row, value, report.C(fmt.Sprint(x.Epoch)), numCell(float64(x.Loss)), numCell(float64(x.Training)),
			report.C(units.Time(x.Seconds)), state))
	}
	return t
}

func orNone(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// effects show for each flag what its values did: a chart of numbers, and a table of the values where there are few.
func (r *SweepReport) effects() report.Columns {
	var cs report.Columns
	for k, axis := range r.Trials[0].Values {
		numeric, positive := true, true
		lo, hi := math.Inf(1), math.Inf(-1)
		var values []string
		for _, t := range r.Trials {
			v, err := strconv.ParseFloat(t.Values[k].Value, 64)
			numeric, positive, lo, hi = numeric && err == nil, positive && v > 0, min(lo, v), max(hi, v)
			if !slices.Contains(values, t.Values[k].Value) {
				values = append(values, t.Values[k].Value)
			}
		}
		if numeric && len(values) > 1 {
			c := report.LineChart{Title: capital(MetricName(r.Metric)) + " by " + axis.Name, XLabel: axis.Name, Points: true,
				LogX: positive && hi >= 20*lo}
			for rung := min(1, r.last()); rung <= r.last(); rung++ {
				s := report.Series{X: []float64{}}
				for _, t := range r.ranked(rung) {
					x, _ := strconv.ParseFloat(t.Values[k].Value, 64)
					s.X, s.Y, s.Name = append(s.X, x), append(s.Y, float64(t.Value)), units.Plural(t.Epochs, "epoch")
				}
				c.Series = append(c.Series, s)
			}
			cs = append(cs, c)
		}
		if len(values) > 1 && 2*len(values) <= r.first() { // each has several trials
			cs = append(cs, r.byValue(k, axis.Name, values))
		}
	}
	return cs
}

// first is how many trials the first rung has.
func (r *SweepReport) first() (n int) {
	for _, t := range r.Trials {
		if t.Rung == r.Trials[0].Rung {
			n++
		}
	}
	return n
}

// byValue is a row for each value of flag k: over the trials that have it, best and mean.
func (r *SweepReport) byValue(k int, name string, values []string) report.Table {
	t := report.Table{Caption: MetricName(r.Metric) + " by " + name, Head: []string{name, "Trials done", "Best", "Mean"},
		Numeric: []int{1, 2, 3}}
	for _, v := range values {
		n, sum, best := 0, 0.0, math.NaN()
		for _, x := range r.Trials {
			if x.Values[k].Value != v || x.Status != RunDone || x.Rung != r.Trials[0].Rung {
				continue
			}
			y := float64(x.Value)
			n, sum = n+1, sum+y
			if best != best || better(y, best, r.Lower) {
				best = y
			}
		}
		row := []report.Cell{report.C(orNone(v)), report.C(fmt.Sprint(n)), report.C("–"), report.C("–")}
		if n > 0 {
			row[2], row[3] = report.C(MetricText(r.Metric, best)), report.C(MetricText(r.Metric, sum/float64(n)))
		}
		t.Rows = append(t.Rows, row)
	}
	if len(r.rungs) > 0 {
		t.Caption += ", in the first rung"
	}
	return t
}
