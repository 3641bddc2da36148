package job

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// mostMatrix bounds the classes of a confusion matrix that is shown.
const mostMatrix = 50

// quality shows where the model is right and wrong on the validation data, as far as that makes sense for the task.
func (f *finetuning) quality(page *report.Report, v *train.Evaluation) error {
	if v == nil {
		return nil
	}
	f.values(page, v)
	f.classes(page, v)
	if v.Reliability != nil {
		calibration(page, v.Reliability)
	}
	return f.cases(page, v)
}

// values compare what a regression says with what is true.
func (f *finetuning) values(page *report.Report, v *train.Evaluation) {
	if len(v.Sample) == 0 {
		return
	}
	off := report.Histogram{Title: "Predicted less true", Marks: []report.Mark{{Label: "0"}}}
	for _, p := range v.Sample {
		off.Values = append(off.Values, p.Value-p.Target)
	}
	page.Section("Values", "What is true and what is predicted, of examples all over the validation data; on the line both are "+
		"equal.").Add(append(f.scatters(v), off))
}

// scatters draw the sample of a regression, one chart for each value of an example.
func (f *finetuning) scatters(v *train.Evaluation) report.Columns {
	var all report.Columns
	at := map[int]int{}
	for _, p := range v.Sample {
		i, ok := at[p.Output]
		if !ok {
			i = len(all)
			at[p.Output] = i
			title := "Values"
			if f.task.K > 1 {
				title = fmt.Sprintf("Value %d of %d", p.Output+1, f.task.K)
			}
			all = append(all, report.Scatter{Title: title, XLabel: "true", YLabel: "predicted", Series: []report.Series{{}}})
		}
		s := &all[i].(report.Scatter).Series[0]
		s.X, s.Y = append(s.X, p.Target), append(s.Y, p.Value)
	}
	return all
}

// classes are a table of the classes or labels, and the confusion matrix where it is not too large.
func (f *finetuning) classes(page *report.Report, v *train.Evaluation) {
	if v.Labels == nil || f.task.Predicts() { // the numbers of tokens say nothing
		return
	}
	several := f.task.HasClasses()
	t := report.Table{Head: []string{"Class", "Examples", "Precision", "Recall", "F1"}, Numeric: []int{1}}
	switch {
	case f.task.Positions():
		t.Head[1] = "Positions"
	case !several:
		t.Head[0] = "Label"
	}
	if several && v.Confusion != nil {
		t.Head = append(t.Head, "Mostly taken for")
	}
	left := 0
	for k := range v.Labels.Is {
		if v.Labels.Is[k] == 0 && v.Labels.Said[k] == 0 {
			continue
		}
		if len(t.Rows) == mostEpochRows {
			left++
			continue
		}
		row := []report.Cell{report.C(f.task.ClassName(k)), report.C(fmt.Sprint(v.Labels.Is[k])), share(v.Labels.Precision(k)),
			share(v.Labels.Recall(k)), share(v.Labels.F1(k))}
		if several && v.Confusion != nil {
			row = append(row, report.C(f.takenFor(v.Confusion[k], k)))
		}
		t.Rows = append(t.Rows, row)
	}
	if left > 0 {
		t.Caption = fmt.Sprintf("The first %d of %d that occur; gtk eval tells all", mostEpochRows, mostEpochRows+left)
	}
	if !several {
		page.Section("Labels", "Each label for itself, said from a probability of one half on.").Add(t)
		return
	}
	k := len(v.Confusion)
	if k < 2 || k > mostMatrix {
		page.Section("Classes", "").Add(t)
		return
	}
	m := report.Matrix{Counts: v.Confusion}
	for i := range k {
		m.Classes = append(m.Classes, f.task.ClassName(i))
	}
	page.Section("Classes", "Rows are what is true, columns what is predicted.").Add(m, t)
}

// share is a percentage with a bar, a dash of nothing.
func share(x float64) report.Cell {
	if x != x {
		return report.C("–")
	}
	return report.Percent(x)
}

// takenFor is the class that k is mostly taken for, with how often, "" where it never is.
func (f *finetuning) takenFor(row []int, k int) string {
	best := -1
	for j, n := range row {
		if j != k && n > 0 && (best < 0 || n > row[best]) {
			best = j
		}
	}
	if best < 0 {
		return ""
	}
	return fmt.Sprintf("%s (%d)", f.task.ClassName(best), row[best])
}

// calibration shows how far probabilities can be believed.
func calibration(page *report.Report, r *task.Reliability) {
	line := report.Series{Name: "accuracy", X: []float64{}}
	t := report.Table{Head: []string{"Confidence", "Examples", "Mean confidence", "Accuracy"}, Numeric: []int{1, 2, 3}}
	n, right, sure := 0, 0, 0.0
	for i, c := range r.N {
		n, right, sure = n+c, right+r.Right[i], sure+r.Confidence[i]
		if c == 0 {
			continue
		}
		mean, accuracy := r.Confidence[i]/float64(c), float64(r.Right[i])/float64(c)
		line.X, line.Y = append(line.X, mean), append(line.Y, accuracy)
		t.Rows = append(t.Rows, []report.Cell{report.C(fmt.Sprintf("%.0f to %.0f %%", 100*float64(i)/task.ReliabilityBins,
			100*float64(i+1)/task.ReliabilityBins)), report.C(fmt.Sprint(c)), report.C(units.Percent(mean)), report.C(units.Percent(accuracy))})
	}
	if n == 0 {
		return
	}
	gap := (sure - float64(right)) / float64(n)
	says := "It is about as sure as it is right."
	switch {
	case gap > 0.02:
		says = fmt.Sprintf("It is surer than it is right, by %.1f percentage points in the mean.", 100*gap)
	case gap < -0.02:
		says = fmt.Sprintf("It is right more often than it is sure, by %.1f percentage points in the mean.", -100*gap)
	}
	page.Section("Calibration", fmt.Sprintf("How often the model is right, by how sure it is of the class that it chooses; on the line "+
		"both are equal. "+
		"Expected calibration error %.4f. %s", r.ECE(), says)).Add(report.Columns{
		report.LineChart{Title: "Reliability", XLabel: "confidence", YLabel: "accuracy", Series: []report.Series{line,
			{Name: "as sure as right", X: []float64{0, 1}, Y: []float64{0, 1}}}}, t})
}
