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
	if !r.headed {
		r.e.printf("%6s  %10s  %9s  %10s  %9s  %8s\n", "epoch", "loss", "accuracy", "val loss", "val acc.", "seconds")
		r.headed = true
	}
	valLoss, valAcc := "-", "-"
	if p.Val != nil {
		valLoss, valAcc = fmt.Sprintf("%.4f", p.Val.Loss), units.Percent(p.Val.Accuracy)
	}
	r.e.printf("%6d  %10.4f  %9s  %10s  %9s  %8.1f\n", p.Epoch, p.TrainLoss, units.Percent(p.TrainAcc), valLoss, valAcc, p.Seconds)
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
