// Package job is what the commands of gtk do, as functions: each takes a Config of plain data and a Reporter, and returns the report
// that the command prints as JSON. The zero value of a Config's field means the usual; what must be given says so.
//
// One verb is one file. The command line turns flags into these Configs and prints; a Go program writes them itself.
package job

import "github.com/gtk-onnx/gtk/train"

// A Reporter is told how a job goes, while it goes. The package itself prints nothing.
type Reporter interface {
	// Note is something worth knowing about model, data or options: an assumption, a warning.
	Note(text string)
	// Say is a line about what is being done.
	Say(text string)
	// Stage begins a part of the work that is counted up to total; the caller ends it.
	Stage(what string, total int) Stage
	// Epoch is called after each epoch of a training.
	Epoch(r train.EpochReport)
}

// A Stage is a part of a job whose progress is shown.
type Stage interface {
	// Set says that done of the total are done, with a few words about the last of them, which may be empty.
	Set(done int, detail string)
	// Step says the same of a training.
	Step(p train.Progress)
	// End ends the stage.
	End()
}

// Quiet is the Reporter that says nothing; nil means the same wherever a Reporter is taken.
var Quiet Reporter = quiet{}

type quiet struct{}

func (quiet) Note(string)             {}
func (quiet) Say(string)              {}
func (quiet) Stage(string, int) Stage { return quiet{} }
func (quiet) Epoch(train.EpochReport) {}
func (quiet) Set(int, string)         {}
func (quiet) Step(train.Progress)     {}
func (quiet) End()                    {}

// orQuiet is rep, or Quiet for nil.
func orQuiet(rep Reporter) Reporter {
	if rep == nil {
		return Quiet
	}
	return rep
}
