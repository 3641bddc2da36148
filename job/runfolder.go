package job

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/task"
	"go.yaml.in/yaml/v3"
)

// RunFolder is a run as its folder tells it.
type RunFolder struct {
	Name      string            `json:"name"` // its path below the folder that was asked for, or its path
	Path      string            `json:"path"`
	Status    string            `json:"status"`
	Command   string            `json:"command"`
	Model     string            `json:"model"`
	Data      string            `json:"data"`
	Val       string            `json:"val,omitempty"`
	Task      string            `json:"task,omitempty"`
	Loss      string            `json:"loss_name,omitempty"`
	Metric    string            `json:"metric,omitempty"` // "" without validation data
	Lower     bool              `json:"lower_is_better"`
	Params    int               `json:"trained_parameters,omitempty"`
	Epochs    int               `json:"epochs"`
	Steps     int               `json:"steps"`
	Planned   int               `json:"epochs_planned,omitempty"`
	TrainLoss Number            `json:"train_loss"` // of the last epoch
	Before    *Quality          `json:"val_before"`
	Last      *Quality          `json:"val_last"`
	Best      *BestEpoch        `json:"best"`
	Seconds   float64           `json:"seconds"`
	Resumable bool              `json:"resumable"` // it has a checkpoint, and is not done
	Settings  map[string]string `json:"settings"`
	Changed   time.Time         `json:"changed"` // when its files last did
	History   []EpochQuality    `json:"-"`

	losses stepLosses
}

// maxRunFile bounds each file of a run that is read, in bytes.
const maxRunFile = 16 << 20

// IsRun reports whether dir is the folder of a training.
func IsRun(dir string) bool {
	for _, name := range []string{runFile, metricsJSON} {
		if st, err := os.Lstat(filepath.Join(dir, name)); err == nil && st.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// ReadRun reads the folder of a run, also one that is going on or was killed. What run.json does not say is taken from run.yaml and from
// the head of metrics.csv.
func ReadRun(dir string) (*RunFolder, error) {
	if !IsRun(dir) {
		if _, err := os.Stat(dir); err != nil {
			return nil, err
		}
		return nil, badInput(fmt.Errorf("%s is not the folder of a run: it has neither %s nor %s, which gtk finetune -o FOLDER writes", dir,
			runFile, metricsJSON))
	}
	r := &RunFolder{Name: dir, Path: dir, Status: RunUnfinished, TrainLoss: Number(math.NaN()), Settings: map[string]string{}}
	replay, err := r.readReplay()
	if err != nil {
		return nil, err
	}
	if err := r.readFile(); err != nil {
		return nil, err
	}
	for name, v := range replay {
		if _, ok := r.Settings[name]; !ok {
			r.Settings[name] = v
		}
	}
	if err := r.readHistory(); err != nil {
		return nil, err
	}
	if r.Metric == "" {
		r.guessMetric()
	}
	r.judge()
	if _, err := os.Lstat(filepath.Join(dir, "checkpoint.npz")); err == nil && r.Status != RunDone {
		r.Resumable = true
	}
	r.losses = readSteps(dir, math.MaxInt)
	return r, nil
}

// read is a file of the run, nil where it is not there.
func (r *RunFolder) read(name string) ([]byte, error) {
	path := filepath.Join(r.Path, name)
	b, err := regular.Read(path, maxRunFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if st, err := os.Stat(path); err == nil && st.ModTime().After(r.Changed) {
		r.Changed = st.ModTime()
	}
	return b, err
}

// outputFlags are flags that say where something is written, and nothing about what it is.
var outputFlags = map[string]bool{"out": true, "report": true, "checkpoint": true, "resume": true, "command": true, "args": true,
	"checkpoint-every": true, "threads": true, "quiet": true, "verbose": true, "progress": true, "log-format": true, "max-memory": true}

// readReplay is the flags of run.yaml.
func (r *RunFolder) readReplay() (map[string]string, error) {
	b, err := r.read("run.yaml")
	if b == nil {
		return nil, err
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(b, &values); err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", filepath.Join(r.Path, "run.yaml"), err))
	}
	r.Command = fmt.Sprint(values["command"])
	if args, ok := values["args"].([]any); ok && len(args) > 0 {
		r.Model = fmt.Sprint(args[0])
	}
	out := map[string]string{}
	for name, v := range values {
		if outputFlags[name] {
			continue
		}
		text := fmt.Sprint(v)
		if list, ok := v.([]any); ok {
			var parts []string
			for _, x := range list {
				parts = append(parts, fmt.Sprint(x))
			}
			text = strings.Join(parts, " ")
		}
		out[name] = text
	}
	r.Data, r.Val = out["data"], out["val"]
	return out, nil
}

func (r *RunFolder) readFile() error {
	b, err := r.read(runFile)
	if b == nil {
		return err
	}
	var f RunFile
	if err := json.Unmarshal(b, &f); err != nil {
		return badInput(fmt.Errorf("%s: %w", filepath.Join(r.Path, runFile), err))
	}
	if f.Schema != "gtk.run/1" {
		return badInput(fmt.Errorf("%s: its schema is %q, and this program reads gtk.run/1", filepath.Join(r.Path, runFile), f.Schema))
	}
	r.Command, r.Status, r.Model, r.Data, r.Val, r.Task, r.Loss = f.Command, f.Status, f.Model, f.Data, f.Val, f.Task, f.Loss
	r.Metric, r.Lower, r.Params, r.Planned, r.Before, r.Best, r.Seconds = f.Metric, f.Lower, f.Params, f.Epochs, f.Before, f.Best, f.Seconds
	r.Status, r.Last = cmp.Or(r.Status, RunUnfinished), f.After
	for n, v := range f.Settings {
		r.Settings[n] = v
	}
	return nil
}

// readHistory reads the epochs.
func (r *RunFolder) readHistory() error {
	b, err := r.read(metricsJSON)
	if err != nil {
		return err
	}
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, 1<<20)
	for line := 1; sc.Scan(); line++ {
		var q EpochQuality
		if err := json.Unmarshal(sc.Bytes(), &q); err != nil {
			return badInput(fmt.Errorf("%s line %d: %w", filepath.Join(r.Path, metricsJSON), line, err))
		}
		r.History = append(r.History, q)
	}
	if err := sc.Err(); err != nil {
		return badInput(fmt.Errorf("%s: %w", filepath.Join(r.Path, metricsJSON), err))
	}
	seconds := 0.0
	for _, q := range r.History {
		r.Epochs, r.Steps, r.TrainLoss = q.Epoch, q.Step, q.TrainLoss
		seconds += q.Seconds
		if r.Status != RunDone {
			r.Last = q.Val
		}
	}
	if r.Seconds == 0 {
		r.Seconds = seconds
	}
	return nil
}

// guessMetric takes the metric to compare by from metrics.csv, where it is the first of the validation after the loss.
func (r *RunFolder) guessMetric() {
	b, err := r.read(metricsCSV)
	if err != nil {
		return
	}
	head, _, _ := bytes.Cut(b, []byte("\n"))
	_, after, ok := strings.Cut(strings.TrimSpace(string(head)), ",val_loss,val_")
	if !ok {
		return
	}
	name, _, _ := strings.Cut(after, ",")
	if m, err := task.Metrics().Lookup(name); err == nil {
		r.Metric, r.Lower = name, m.Lower
	}
}

// judge finds the best epoch, where run.json does not say it yet.
func (r *RunFolder) judge() {
	validated := false
	for _, q := range r.History {
		validated = validated || q.Val != nil
	}
	switch {
	case !validated && r.Last == nil:
		r.Metric = ""
		return
	case r.Best != nil:
		return
	}
	for _, q := range r.History {
		if q.Val == nil {
			continue
		}
		v, ok := q.Val.Metrics[r.Metric]
		if !ok || v != v {
			continue
		}
		if b := r.Best; b == nil || better(float64(v), float64(b.Value), r.Lower) || v == b.Value && q.Val.Loss < b.Loss {
			r.Best = &BestEpoch{Epoch: q.Epoch, Step: q.Step, Metric: r.Metric, Value: v, Loss: q.Val.Loss}
		}
	}
}

// better reports whether the value v of a metric is better than w.
func better(v, w float64, lower bool) bool {
	if lower {
		return v < w
	}
	return v > w
}
