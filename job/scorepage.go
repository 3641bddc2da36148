package job

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/prune"
)

// section adds what a score says to a report: histogram, classes, hardest and easiest examples, suspects. kept is nil when nothing is
// chosen.
func (s *scoring) section(page *report.Report, name string, kept []int) {
	x := s.scores[name]
	entry, err := prune.Scorers().Entry(name)
	if err != nil {
		return
	}
	sec := page.Section("Score "+name, entry.Doc+".")
	h := report.Histogram{Title: "Scores", XLabel: name, Values: x.Mean}
	if kept != nil && len(kept) < len(x.Mean) {
		low := x.Mean[kept[0]]
		for _, i := range kept {
			low = min(low, x.Mean[i])
		}
		h.Marks = append(h.Marks, report.Mark{X: low, Label: "kept from here"})
	}
	sec.Add(report.Columns{h, s.classTable(x, kept)})
	order := x.Order()
	hard := slices.Clone(order[max(0, len(order)-24):])
	slices.Reverse(hard)
	if g, ok := s.gallery(x, hard); ok {
		page.Section("Hardest examples", "The highest scores: rare views, ambiguous pictures, and wrong labels.").Add(g)
	}
	top := suspects(x)
	lead := fmt.Sprintf("%s with the highest 2 %% of scores. Look at them before anything else.", units.Plural(len(top), "example"))
	if hit, total, ok := plantedAmong(s.train, top); ok {
		lead += fmt.Sprintf(" %d of them are among the %d whose labels were changed on purpose.", hit, total)
	}
	errors := page.Section("Possible label errors", lead)
	if g, ok := s.gallery(x, top[:min(len(top), maxSuspects)]); ok {
		errors.Add(g)
	}
	errors.Add(s.suspectTable(x, top))
	if g, ok := s.gallery(x, order[:min(12, len(order))]); ok {
		page.Section("Easiest examples", "The lowest scores: the model has nothing left to learn from them.").Add(g)
	}
}

// classTable has counts and mean score of each class.
func (s *scoring) classTable(x *prune.Scores, kept []int) report.Table {
	t := report.Table{Caption: "Classes", Head: []string{"Class", "Examples", "Mean score"}, Numeric: []int{1, 2}}
	in := map[int]int{}
	for _, i := range kept {
		in[x.Labels[i]]++
	}
	if kept != nil {
		t.Head = append(t.Head, "Kept")
	}
	classes := s.train.Classes()
	for y, name := range classes {
		n, sum := 0, 0.0
		for i, l := range x.Labels {
			if l == y {
				n++
				sum += x.Mean[i]
			}
		}
		if n == 0 {
			continue
		}
		row := []report.Cell{report.C(name), report.C(fmt.Sprint(n)), report.Num(sum/float64(n), 3)}
		if kept != nil {
			row = append(row, report.Percent(float64(in[y])/float64(n)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// maxSuspects bounds the rows of the table of suspects; all are in scores.csv.
const maxSuspects = 40

func (s *scoring) suspectTable(x *prune.Scores, top []int) report.Table {
	t := report.Table{Head: []string{"Example", "Label", "Score", "± between runs"}, Numeric: []int{2, 3}}
	if x.Predicted != nil {
		t.Head, t.Numeric = []string{"Example", "Label", "Suggested", "Probability", "Score", "± between runs"}, []int{3, 4, 5}
	}
	planted := map[string]bool{}
	for _, id := range data.Planted(s.train) {
		planted[id] = true
	}
	for k, i := range top {
		if k == maxSuspects {
			break
		}
		label := report.C(s.className(x.Labels[i]))
		if planted[x.IDs[i]] {
			label = report.Cell{Text: label.Text + " (planted)", Tone: report.Bad}
		}
		row := []report.Cell{{Text: x.IDs[i], Code: true}, label}
		if x.Predicted != nil {
			row = append(row, report.C(s.className(x.Predicted[i])), report.Percent(x.Probability[i]))
		}
		t.Rows = append(t.Rows, append(row, report.Num(x.Mean[i], 4), report.Num(x.Std[i], 2)))
	}
	return t
}

func (s *scoring) className(y int) string {
	if c := s.train.Classes(); y >= 0 && y < len(c) {
		return c[y]
	}
	return fmt.Sprint(y)
}

// gallery shows examples as pictures; ok is false when they are none.
func (s *scoring) gallery(x *prune.Scores, idx []int) (g report.Gallery, ok bool) {
	planted := map[string]bool{}
	for _, id := range data.Planted(s.train) {
		planted[id] = true
	}
	for _, i := range idx {
		ex, err := s.train.Example(i)
		if err != nil || !ex.Picture {
			return g, false
		}
		img, err := displayed(ex.X, s.pre)
		if err != nil {
			return g, false
		}
		f := report.Figure{Image: img, Alt: x.IDs[i], Caption: s.className(x.Labels[i]), Detail: fmt.Sprintf("%.3f", x.Mean[i])}
		if planted[x.IDs[i]] {
			f.Tone, f.Caption = report.Bad, f.Caption+" (planted)"
		}
		if x.Predicted != nil && x.Predicted[i] != x.Labels[i] {
			f.Caption += " → " + s.className(x.Predicted[i])
			f.Detail = fmt.Sprintf("suggested with %.0f %%; score %s", 100*x.Probability[i], f.Detail)
		}
		g.Figures = append(g.Figures, f)
	}
	return g, len(g.Figures) > 0
}
