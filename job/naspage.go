package job

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/nas"
	"github.com/gtk-onnx/gtk/task"
)

// mostRanked networks are in the table of the page; all are in ranks.csv.
const mostRanked = 200

// page shows the ranks.
func (r *NASRankReport) page(t *task.Task) *report.Report {
	page := report.New("Networks of a supernet", fmt.Sprintf("%s of %s in the space %s, ranked by their accuracy on %s with the "+
		"weights that they inherit. %s.", units.Plural(r.N, "network"), countOf(r.Archs), r.Space, r.Val, capital(t.String())))
	page.Kicker, page.Footer = "gtk nas rank", "Made by gtk nas rank. All networks are in ranks.csv beside this page; gtk nas extract "+
		"--arch writes one."
	best := r.Networks[0]
	facts := report.Facts{{Label: "Best", Value: nas.Format(best.Arch), Detail: units.Percent(float64(best.Accuracy)) + " with " +
		"inherited weights"}}
	if !math.IsNaN(float64(r.Tau)) {
		facts = append(facts, report.Fact{Label: "Kendall's τ", Value: fmt.Sprintf("%.3f", float64(r.Tau)),
			Detail: "with the networks by themselves"})
	}
	if !math.IsNaN(float64(r.TauMACs)) {
		facts = append(facts, report.Fact{Label: "τ of size", Value: fmt.Sprintf("%.3f", float64(r.TauMACs)),
			Detail: "of the accuracies with the numbers of multiplications"})
	}
	top := page.Section("", "").Add(facts)
	for _, n := range r.Notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	with := report.Series{Name: "networks"}
	for _, x := range r.Networks {
		with.X, with.Y = append(with.X, 100*float64(x.Alone)), append(with.Y, 100*float64(x.Accuracy))
	}
	if r.Alone > 0 {
		page.Section("With inherited weights and by themselves", fmt.Sprintf("Each network was trained by itself too, for %s, from "+
			"weights of its "+
			"own. What counts is whether both put them in the same order, not how far they are from the line.", units.Plural(r.Alone,
			"epoch"))).
			Add(report.Scatter{Title: "Accuracy on the same data, %", XLabel: "by itself", YLabel: "with inherited weights",
				Series: []report.Series{with}})
	}
	page.Section("By cost", "The best accuracy that any of the networks has with no more multiplications for one "+
		"example.").Add(r.frontier())
	table := report.Table{Head: []string{"Rank", "Architecture", "Operators", "Accuracy", "Parameters", "Multiplications"},
		Numeric: []int{0, 3, 4, 5}}
	if r.Alone > 0 {
		table.Head, table.Numeric = append(table.Head, "By itself"), append(table.Numeric, 6)
	}
	for _, x := range r.Networks[:min(len(r.Networks), mostRanked)] {
		row := []report.Cell{report.C(strconv.Itoa(x.Rank)), report.C(nas.Format(x.Arch)), report.C(x.Operators),
			report.Percent(float64(x.Accuracy)),
			report.C(units.Count(x.Parameters)), report.C(units.Count(int(x.MACs)))}
		if r.Alone > 0 {
			row = append(row, report.Percent(float64(x.Alone)))
		}
		table.Rows = append(table.Rows, row)
	}
	page.Section("Networks", "").Add(table)
	return page
}

// frontier is the best accuracy by multiplications.
func (r *NASRankReport) frontier() report.Block {
	rows := slices.Clone(r.Networks)
	slices.SortStableFunc(rows, func(a, b NASRow) int { return int(a.MACs - b.MACs) })
	line := report.Series{Name: "best so far"}
	best := math.Inf(-1)
	for _, x := range rows {
		best = max(best, 100*float64(x.Accuracy))
		line.X, line.Y = append(line.X, float64(x.MACs)), append(line.Y, best)
	}
	return report.LineChart{Title: "Accuracy, %", XLabel: "multiplications", YLabel: "accuracy", Series: []report.Series{line}}
}

// page shows a training.
func (r *NASTrainReport) page() *report.Report {
	page := report.New("Training of a supernet", fmt.Sprintf("The space %s of %s networks, trained on %s for %s with the sampler %s. "+
		"Ranked they "+
		"are by gtk nas rank.", r.Space, countOf(r.Archs), r.Data, units.Plural(r.Epochs, "epoch"), r.Sampler))
	page.Kicker, page.Footer = "gtk nas train", "Made by gtk nas train. The numbers are in metrics.csv beside this page."
	top := page.Section("", "").Add(report.Facts{
		{Label: "Loss", Value: fmt.Sprintf("%.4g", float64(r.TrainLoss)), Detail: "of the paths of the last epoch"},
		{Label: "Accuracy", Value: units.Percent(float64(r.Accuracy)), Detail: "on what it showed"},
		{Label: "Paths", Value: units.Count(r.Paths), Detail: "one in each of " + units.Plural(r.Steps, "step")}})
	for _, n := range r.Notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	loss := report.LineChart{Title: "Loss by epoch", XLabel: "epoch", YLabel: "loss", Series: []report.Series{{Name: "training"}}}
	laws := report.LineChart{Title: "Probability of the operators", XLabel: "epoch", YLabel: "probability"}
	for _, o := range r.Operators {
		laws.Series = append(laws.Series, report.Series{Name: o.Name})
	}
	for _, h := range r.History {
		loss.Series[0].X, loss.Series[0].Y = append(loss.Series[0].X, float64(h.Epoch)), append(loss.Series[0].Y, float64(h.TrainLoss))
		for i, o := range r.Operators {
			s := &laws.Series[i]
			s.X, s.Y = append(s.X, float64(h.Epoch)), append(s.Y, float64(h.Measures["path."+o.Name]))
		}
	}
	page.Section("On the way", "").Add(report.Columns{loss, laws})
	if len(r.Variance) > 0 {
		page.Section("Variance of the gradient", fmt.Sprintf("The trace of the covariance of the gradient of a step over all weights, "+
			"at the same "+
			"weights for all laws, estimated without bias from %d steps each that were drawn and not taken: (Σ‖g‖² − M‖ḡ‖²)/(M−1). "+
			"Weighted gradients "+
			"have the mean of all examples and paths alike as their mean, whatever the laws.", r.Variance[0].Draws)).Add(report.Columns{
			r.spread("As trained", false), r.spread("Weighted", true)})
	}
	return page
}

// spread is the variance by epoch and law, as shares of that of uniform sampling.
func (r *NASTrainReport) spread(title string, weighted bool) report.Block {
	c := report.LineChart{Title: title + ", as a share of uniform sampling", XLabel: "epoch", YLabel: "variance", LogY: true}
	base := map[int]float64{}
	for _, v := range r.Variance {
		if v.Law == "uniform" && v.Weighted == weighted {
			base[v.Epoch] = float64(v.Variance)
		}
	}
	for _, law := range nasLaws[1:] {
		s := report.Series{Name: law.name}
		for _, v := range r.Variance {
			if v.Law == law.name && v.Weighted == weighted && base[v.Epoch] > 0 {
				s.X, s.Y = append(s.X, float64(v.Epoch)), append(s.Y, float64(v.Variance)/base[v.Epoch])
			}
		}
		c.Series = append(c.Series, s)
	}
	return c
}
