package cli

import (
	"fmt"
	"math"
	"time"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/train"
)

// reporter prints how a job goes.
type reporter struct {
	e      *env
	bar    *progress // of the stage that began last
	headed bool      // the head of the table of epochs is printed
}

func (e *env) reporter() job.Reporter { return &reporter{e: e} }

func (r *reporter) Note(text string) { r.e.warn("%s", text) }
func (r *reporter) Say(text string)  { r.e.printf("%s\n", text) }

func (r *reporter) Stage(what string, total int) job.Stage {
	r.bar = r.e.newProgress(what, total)
	return r.bar
}

// Epoch prints a row of the table of epochs.
func (r *reporter) Epoch(p train.EpochReport) {
	if r.bar != nil && r.bar.bar != nil {
		_ = r.bar.bar.Clear() // the line of the epoch takes the bar's place
	}
	acc := !math.IsNaN(p.TrainAcc)
	cells := func(epoch, loss, accuracy, valLoss, valMetric, seconds string) {
		row := fmt.Sprintf("%6s  %10s", epoch, loss)
		if acc {
			row += fmt.Sprintf("  %9s", accuracy)
		}
		if p.Val != nil {
			row += fmt.Sprintf("  %10s  %*s", valLoss, max(9, len([]rune(valMetric))), valMetric)
		}
		r.e.printf("%s  %8s\n", row, seconds)
	}
	metric, valLoss, value := "", "", ""
	if p.Val != nil && len(p.Val.Metrics) > 0 {
		m := p.Val.Metrics[0]
		metric, valLoss, value = "val "+metricName(m.Name), fmt.Sprintf("%.4g", p.Val.Loss), metricValue(m.Name, m.Value)
	}
	if !r.headed {
		cells("epoch", "loss", "accuracy", "val loss", metric, "seconds")
		r.headed = true
	}
	value = fmt.Sprintf("%*s", len([]rune(metric)), value)
	cells(fmt.Sprint(p.Epoch), fmt.Sprintf("%.4f", p.TrainLoss), units.Percent(p.TrainAcc), valLoss, value, fmt.Sprintf("%.1f", p.Seconds))
}

// Step shows the state of a training after a step.
func (p *progress) Step(s train.Progress) {
	note := fmt.Sprintf("epoch %d/%d loss %.4f", s.Epoch, s.Epochs, s.Loss)
	if !math.IsNaN(s.Accuracy) {
		note += fmt.Sprintf(" acc %.1f %%", 100*s.Accuracy)
	}
	note += fmt.Sprintf(" %.0f/s", s.SamplesPerSecond)
	if p.mode == "plain" {
		note += " ETA " + s.ETA.Round(time.Second).String()
	}
	p.Set(s.Step, note)
}
