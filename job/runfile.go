package job

import (
	"encoding/json"
	"io"
	"path/filepath"
)

// runFile is the name of a RunFile in the folder of a run.
const runFile = "run.json"

// States of a run.
const (
	RunDone       = "done"       // the model is written
	RunDiverged   = "diverged"   // there is no model of the last epoch
	RunUnfinished = "unfinished" // it is going on, was interrupted or was killed
)

// RunFile is what the folder of a run says of it, besides the numbers of its epochs in metrics.jsonl: what it was made with when it began,
// and how it ended.
type RunFile struct {
	Schema   string            `json:"schema"` // gtk.run/1
	Command  string            `json:"command"`
	Status   string            `json:"status"`
	Model    string            `json:"model"`
	Data     string            `json:"data"`
	Val      string            `json:"val,omitempty"`
	Task     string            `json:"task"`
	Loss     string            `json:"loss_name"`
	Metric   string            `json:"metric"` // by which runs are compared
	Lower    bool              `json:"lower_is_better"`
	Params   int               `json:"trained_parameters"`
	Epochs   int               `json:"epochs_planned"`
	Steps    int               `json:"steps_planned"`
	Settings map[string]string `json:"settings"` // what the result depends on, by the names of flags
	Before   *Quality          `json:"val_before"`
	After    *Quality          `json:"val_after"`
	Best     *BestEpoch        `json:"best"`
	Seconds  float64           `json:"seconds"`
	Notes    []string          `json:"notes,omitempty"`
}

// describe is the RunFile of a training that begins.
func (f *finetuning) describe() *RunFile {
	r := &RunFile{
		Schema: "gtk.run/1", Command: "finetune", Status: RunUnfinished, Model: f.Path, Data: f.c.Data, Val: f.c.Val, Task: string(f.task.Kind),
		Loss: f.task.Name, Params: f.parameters(), Epochs: f.cfg.Epochs, Steps: f.cfg.Steps(f.train.Len()), Settings: map[string]string{},
	}
	r.Metric, r.Lower = f.task.Primary()
	for _, s := range f.settings() {
		r.Settings[s.Name] = s.Value
	}
	return r
}

// record writes how the run stands, if there is a folder for it.
func (f *finetuning) record(r *RunFile) error {
	if f.out.Report == "" {
		return nil
	}
	return WriteFile(filepath.Join(f.out.Report, runFile), r.write)
}

// diverged writes that the run has no good end.
func (f *finetuning) diverged() error {
	x := f.describe()
	x.Status = RunDiverged
	return f.record(x)
}

// ended writes how the run ended.
func (f *finetuning) ended(r *FinetuneReport) error {
	x := f.describe()
	x.Status, x.Before, x.After, x.Best, x.Seconds, x.Notes = RunDone, r.Before, r.After, r.Best, r.Seconds, r.Notes
	return f.record(x)
}

func (r *RunFile) write(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
