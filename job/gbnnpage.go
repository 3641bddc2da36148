package job

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/train"
)

// page adds the anytime curve: what the model would be with its first units alone.
func (boosted) page(f *finetuning, p *report.Report) {
	g := f.boosting
	line := func(name string, of func(train.EpochReport) (float64, bool)) report.Series {
		s := report.Series{Name: name, X: []float64{}}
		for _, r := range g.all() {
			if v, ok := of(r); ok {
				s.X, s.Y = append(s.X, float64(r.Epoch*g.Step)), append(s.Y, v)
			}
		}
		return s
	}
	chart := func(title, metric string, training func(train.EpochReport) (float64, bool)) report.LineChart {
		c := report.LineChart{Title: title, XLabel: "units", Series: []report.Series{}}
		if training != nil {
			c.Series = append(c.Series, line("training", training))
		}
		if f.val != nil {
			c.Series = append(c.Series, line("validation", func(r train.EpochReport) (float64, bool) { return valOf(r, metric) }))
		}
		return c
	}
	charts := report.Columns{chart("Loss by units", "loss", func(r train.EpochReport) (float64, bool) { return r.TrainLoss, true })}
	name, _ := f.task.Primary()
	var training func(train.EpochReport) (float64, bool)
	if name == "accuracy" {
		training = func(r train.EpochReport) (float64, bool) { return r.TrainAcc, true }
	}
	if training != nil || f.val != nil {
		charts = append(charts, chart(capital(MetricName(name))+" by units", name, training))
	}
	p.Section("Anytime curve", fmt.Sprintf("The model with its first units alone, as gtk export --gbnn-keep N writes it; %d units were trained "+
		"at a time.", g.Step)).Add(charts)
}
