package job

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/train"
)

// page adds the anytime curve: what the model would be with its first units alone.
func (boosted) page(f *finetuning, p *report.Report, res *train.Result) bool {
	g := f.boosting
	var marks []report.Mark
	if b := res.Best; b != nil {
		marks = []report.Mark{{X: float64(b.Epoch * g.Step), Label: "best"}}
	}
	line := func(name string, of func(train.EpochReport) (float64, bool)) report.Series {
		s := report.Series{Name: name, X: []float64{}}
		for _, r := range g.all() {
			if v, ok := of(r); ok {
				s.X, s.Y = append(s.X, float64(r.Epoch*g.Step)), append(s.Y, v)
			}
		}
		return s
	}
	training := map[string]func(train.EpochReport) (float64, bool){
		"loss":     func(r train.EpochReport) (float64, bool) { return r.TrainLoss, true },
		"accuracy": func(r train.EpochReport) (float64, bool) { return r.TrainAcc, r.TrainAcc == r.TrainAcc },
	}
	names := []string{"loss", "accuracy"}
	if res.After != nil {
		names = names[:1]
		for _, m := range res.After.Metrics {
			names = append(names, m.Name)
		}
	}
	var charts report.Columns
	for _, name := range names {
		c := report.LineChart{Title: capital(MetricName(name)) + " by units", XLabel: "units", Marks: marks, Series: []report.Series{}}
		if name == "loss" {
			c.YLabel = f.task.Name
		}
		if of := training[name]; of != nil {
			if s := line("training", of); len(s.Y) > 0 {
				c.Series = append(c.Series, s)
			}
		}
		if f.val != nil {
			c.Series = append(c.Series, line("validation", func(r train.EpochReport) (float64, bool) { return valOf(r, name) }))
		}
		if len(c.Series) > 0 {
			charts = append(charts, c)
		}
	}
	p.Section("Anytime curve", fmt.Sprintf("The model with its first units alone, as gtk export --gbnn-keep N writes it; %s a step.",
		units.Plural(g.Step, "unit"))).Add(charts)
	return true
}
