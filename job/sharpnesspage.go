package job

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
)

// page reports whether the output is one file, not a folder.
func (c SharpnessConfig) page() bool { return strings.EqualFold(filepath.Ext(c.Out), ".html") }

// write writes the page, and into a folder the numbers beside it.
func (s *sharpness) write() error {
	s.r.Notes = s.notes
	switch {
	case s.c.Out == "":
		return nil
	case s.c.page():
		s.r.Report = s.c.Out
		return WriteFile(s.c.Out, s.page("").Write)
	}
	folder, err := newResults(s.c.Out)
	if err != nil {
		return err
	}
	defer folder.Discard()
	s.r.Report = filepath.Join(s.c.Out, reportPage)
	if err := folder.write(s.r.Report, s.page(" The numbers are in curves.csv beside this page.").Write); err != nil {
		return err
	}
	if err := folder.replay(s.c.Replay); err != nil {
		return err
	}
	if err := folder.write(filepath.Join(s.c.Out, "curves.csv"), s.curves); err != nil {
		return err
	}
	return folder.Commit(reportPage)
}

// curves writes all curves as csv.
func (s *sharpness) curves(w io.Writer) error {
	t := csv.NewWriter(w)
	t.Write([]string{"step", "direction", "distance", "loss", "quadratic"})
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, p := range s.r.Points {
		for _, d := range p.Directions {
			for _, k := range d.Curve {
				t.Write([]string{strconv.Itoa(p.Step), d.Name, num(k.Distance), num(float64(k.Loss)), num(float64(k.Quadratic))})
			}
		}
	}
	t.Flush()
	return t.Error()
}

// page shows the measurements; beside says what else lies where it does.
func (s *sharpness) page(beside string) *report.Report {
	r := s.r
	page := report.New(strings.TrimSuffix(filepath.Base(s.Path), ".onnx"), fmt.Sprintf("How the loss curves along the step that each "+
		"optimiser would take next, after %s of %s at learning rate %g on %s. %s.", units.Plural(r.Step, "step"), r.Optimizer, r.LR, r.Data,
		capital(s.task.String())))
	page.Kicker, page.Footer = "gtk probe sharpness", "Made by gtk probe sharpness."+beside
	top := page.Section("", "").Add(s.facts())
	for _, n := range r.Notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	page.Section("Directions", "Sharpness is vᵀHv/‖v‖², the curvature of the loss along a step v; the lower it is, the farther a step can "+
		"go. The best step is where slope and curvature alone would have the loss lowest, as a distance and as a learning rate; where the "+
		"decrease measured there falls short of the predicted one, the loss bends sooner than its curvature here says. Top 1 % and 10 % are "+
		"the shares of ‖v‖² that the largest coordinates have. Pan and Li 2023, arXiv 2306.00204.").Add(directionTable(r.SharpnessPoint))
	curves := page.Section("Along each direction", "The loss on the same examples, measured in equal steps until it is above that at the "+
		"start; beside it what slope and curvature alone say.")
	far := report.LineChart{Title: "By distance", XLabel: "distance", YLabel: r.LossName, LogX: true}
	rate := report.LineChart{Title: "By learning rate", XLabel: "learning rate", YLabel: r.LossName, LogX: true}
	var each report.Columns
	for _, d := range r.Directions {
		by, at := report.Series{Name: d.Name}, report.Series{Name: d.Name}
		for _, k := range d.Curve {
			by.X, by.Y = append(by.X, k.Distance), append(by.Y, float64(k.Loss))
			at.X, at.Y = append(at.X, k.Distance/d.Norm), append(at.Y, float64(k.Loss))
		}
		far.Series, rate.Series, each = append(far.Series, by), append(rate.Series, at), append(each, d.chart(r.LossName))
	}
	curves.Add(report.Columns{far, rate}, each)
	if len(r.Points) > 1 {
		page.Section("On the way", "Loss, largest curvature, and the sharpness along each direction, after fewer steps of the trajectory.").
			Add(s.onTheWay()...)
	}
	page.Section("Settings", "").Add(s.given())
	return page
}

// chart is the curve of d with the parabola beside it, as far as that stays near.
func (d SharpnessDirection) chart(loss string) report.LineChart {
	c := report.LineChart{Title: d.Name, XLabel: "distance", YLabel: loss, Series: []report.Series{{Name: "measured"}, {Name: "quadratic"}}}
	low, high := math.Inf(1), math.Inf(-1)
	for _, k := range d.Curve {
		if y := float64(k.Loss); !math.IsNaN(y) && !math.IsInf(y, 0) {
			low, high = min(low, y), max(high, y)
		}
	}
	for _, k := range d.Curve {
		c.Series[0].X, c.Series[0].Y = append(c.Series[0].X, k.Distance), append(c.Series[0].Y, float64(k.Loss))
		if y := float64(k.Quadratic); y <= high+(high-low)/4 && y >= low-(high-low)/4 {
			c.Series[1].X, c.Series[1].Y = append(c.Series[1].X, k.Distance), append(c.Series[1].Y, y)
		}
	}
	if b := float64(d.BestStep); b <= d.Curve[len(d.Curve)-1].Distance {
		c.Marks = []report.Mark{{X: b, Label: "best step"}}
	}
	return c
}

func (s *sharpness) facts() report.Facts {
	r := s.r
	facts := report.Facts{{Label: "Loss", Value: fmt.Sprintf("%.4g", r.Loss), Detail: "over " + units.Plural(r.N, "example")}}
	if l := float64(r.LambdaMax); !math.IsNaN(l) {
		tone := report.Plain
		if r.Above {
			tone = report.Warn
		}
		facts = append(facts, report.Fact{Label: "Largest curvature", Value: fmt.Sprintf("%.4g", l), Tone: tone,
			Detail: fmt.Sprintf("± %.1g, by %s", float64(r.LambdaMaxRes), units.Plural(r.LanczosSteps, "product"))})
	}
	return append(facts, report.Fact{Label: "2/lr", Value: fmt.Sprintf("%.4g", float64(r.Limit)), Detail: "limit of gradient descent"},
		report.Fact{Label: "Gradient", Value: fmt.Sprintf("%.3g", r.GradientNorm), Detail: "its length"})
}

// directionTable is the directions of a point in rows.
func directionTable(p SharpnessPoint) report.Table {
	t := report.Table{Head: []string{"Direction", "Sharpness", "Slope", "Best step", "as rate", "Predicted", "Measured", "Top 1 %",
		"Top 10 %"}, Numeric: []int{2, 3, 4, 5, 6}}
	most := 0.0
	for _, d := range p.Directions {
		most = max(most, d.Sharpness)
	}
	for _, d := range p.Directions {
		sharp := report.Num(d.Sharpness, 3)
		if d.Sharpness > 0 {
			sharp.Bar = new(d.Sharpness / most)
		}
		row := []report.Cell{report.C(d.Name), sharp, report.Num(d.Slope, 3)}
		for _, x := range []Number{d.BestStep, d.BestRate, d.Predicted, d.Measured} {
			cell := report.Num(float64(x), 3)
			if math.IsNaN(float64(x)) {
				cell = report.C("–")
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, append(row, report.Percent(d.Top1), report.Percent(d.Top10)))
	}
	return t
}

// onTheWay is what was measured by the steps of the trajectory: a table, and where all sharpnesses are positive a chart.
func (s *sharpness) onTheWay() []report.Block {
	chart := report.LineChart{Title: "Sharpness by step", XLabel: "step", YLabel: "sharpness", LogY: true}
	t := report.Table{Head: slices.Concat([]string{"Step", "Loss", "Gradient", "Largest curvature"}, s.c.Along)}
	for i := range t.Head {
		t.Numeric = append(t.Numeric, i)
	}
	positive := true
	for i, name := range s.c.Along {
		line := report.Series{Name: name}
		for _, p := range s.r.Points {
			line.X, line.Y = append(line.X, float64(p.Step)), append(line.Y, p.Directions[i].Sharpness)
			positive = positive && p.Directions[i].Sharpness > 0
		}
		chart.Series = append(chart.Series, line)
	}
	for _, p := range s.r.Points {
		largest := report.Num(float64(p.LambdaMax), 3)
		if math.IsNaN(float64(p.LambdaMax)) {
			largest = report.C("–")
		}
		row := []report.Cell{report.C(strconv.Itoa(p.Step)), report.Num(p.Loss, 4), report.Num(p.GradientNorm, 3), largest}
		for _, d := range p.Directions {
			row = append(row, report.Num(d.Sharpness, 3))
		}
		t.Rows = append(t.Rows, row)
	}
	var charts report.Columns
	if positive {
		charts = append(charts, chart)
	}
	of := report.LineChart{Title: "Largest curvature by step", XLabel: "step", LogY: true,
		Series: []report.Series{{Name: "largest curvature"}, {Name: "2/lr"}}}
	loss := report.LineChart{Title: "Loss by step", XLabel: "step", YLabel: s.r.LossName, Series: []report.Series{{Name: "loss"}}}
	for _, p := range s.r.Points {
		for i, y := range []Number{p.LambdaMax, p.Limit} {
			of.Series[i].X, of.Series[i].Y = append(of.Series[i].X, float64(p.Step)), append(of.Series[i].Y, float64(y))
		}
		loss.Series[0].X, loss.Series[0].Y = append(loss.Series[0].X, float64(p.Step)), append(loss.Series[0].Y, p.Loss)
	}
	if s.r.LanczosSteps > 0 {
		charts = append(charts, of)
	}
	return []report.Block{t, append(charts, loss)[:min(2, len(charts)+1)]}
}

// given is what the measurement was given.
func (s *sharpness) given() report.Settings {
	set := slices.DeleteFunc(s.settings(), func(x report.Setting) bool { return slices.Contains([]string{"schedule", "epochs"}, x.Name) })
	return append(set, report.Setting{Name: "along", Value: strings.Join(s.c.Along, ", ")},
		report.Setting{Name: "examples", Value: fmt.Sprintf("%d in %d batches", s.r.N, s.r.Batches)},
		report.Setting{Name: "parameters", Value: units.Count(s.r.Params)}, report.Setting{Name: "products with H", Value: s.r.Hessian})
}
