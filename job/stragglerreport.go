package job

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/gtk-onnx/gtk/fleet"
	"github.com/gtk-onnx/gtk/straggler"
)

// StragglerTrainReport is what a training by a fleet did.
type StragglerTrainReport struct {
	Schema     string             `json:"schema"`
	Data       string             `json:"data"`
	Examples   int                `json:"examples"`
	Workers    int                `json:"workers"`
	Fleet      string             `json:"fleet"`
	Scheme     string             `json:"scheme"` // as it was asked for
	Jobs       int                `json:"jobs"`
	Partitions int                `json:"partitions"`
	Mu         float64            `json:"mu"`
	Exact      bool               `json:"exact"` // gradients are exact sums, rounded once: the same with every such scheme
	Stale      bool               `json:"stale,omitempty"`
	Trainings  []StragglerTrained `json:"trainings"`
	Segments   []StragglerSegment `json:"segments"` // one, or with auto several
	Seconds    float64            `json:"seconds"`  // from the first round to the last
	Predicted  Number             `json:"predicted_seconds"`
	Startup    float64            `json:"startup_seconds"` // until all workers had models and data
	Compute    float64            `json:"compute_seconds"` // that all of the data take without sleep, as measured before
	Deaths     int                `json:"deaths"`          // workers that ended, and were begun anew
	Timeline   []StragglerRound   `json:"timeline"`
	Out        string             `json:"out"`
	Report     string             `json:"report,omitempty"`
	Notes      []string           `json:"notes,omitempty"`
}

// StragglerTrained is one training.
type StragglerTrained struct {
	Name     string    `json:"name"`
	Model    string    `json:"model"`
	LR       float64   `json:"lr"`
	Steps    int       `json:"steps"`
	LossName string    `json:"loss_name"`
	Losses   []Number  `json:"losses"`   // before each step, over all data
	Accuracy Number    `json:"accuracy"` // before the last
	Weights  fleet.Key `json:"weights"`  // SHA-256 of the trained weights
	Out      string    `json:"out"`
	Verify   *ReadBack `json:"verify"`
}

// StragglerSegment are jobs that were done by one scheme.
type StragglerSegment struct {
	StragglerScheme
	Jobs      int    `json:"jobs"`
	Rounds    int    `json:"rounds"`
	Predicted Number `json:"predicted_seconds"` // by the simulator from the injected delays; null without
}

// StragglerRound is a round as it went, times in seconds.
type StragglerRound struct {
	Scheme  string   `json:"scheme"`
	Seconds float64  `json:"seconds"`
	Waited  bool     `json:"waited,omitempty"`
	At      []Number `json:"at"` // when each worker had answered; null for who did not, or had nothing to do
	Busy    []bool   `json:"busy"`
	Late    []bool   `json:"left_out"`
	Backups []int    `json:"backups,omitempty"` // workers that did again what was late
}

func timelineRound(r straggler.Round, scheme string) StragglerRound {
	x := StragglerRound{Scheme: scheme, Seconds: r.Seconds, Waited: r.Waited, Busy: r.Busy, Late: r.Late}
	for _, v := range r.At {
		x.At = append(x.At, Number(v))
	}
	for _, b := range r.Backups {
		x.Backups = append(x.Backups, b.Worker)
	}
	return x
}

// report begins the report.
func (t *stragglerTraining) report() {
	t.r = &StragglerTrainReport{Schema: "gtk.straggler-train/1", Data: t.c.Data, Examples: t.trainings[0].train.Len(), Workers: t.c.Workers,
		Fleet: t.c.Fleet, Scheme: t.c.Scheme, Jobs: t.c.Jobs, Partitions: t.c.Partitions, Mu: t.rule.Mu, Exact: true, Compute: t.compute,
		Out: t.c.Out, Predicted: Number(math.NaN())}
}

// write writes the models, and into a folder the page and the measured rounds beside them; models are read back and compared.
func (t *stragglerTraining) write(ctx context.Context) error {
	predicted := 0.0
	for _, s := range t.r.Segments {
		predicted += float64(s.Predicted)
		t.r.Stale = t.r.Stale || s.Delay >= len(t.trainings)
	}
	t.r.Predicted = Number(predicted)
	var folder *results
	if t.c.folder() {
		var err error
		if folder, err = newResults(t.c.Out); err != nil {
			return err
		}
		defer folder.Discard()
	}
	bad := ""
	for _, x := range t.trainings {
		if err := x.cfg.Optimizer.Settle(x.ps); x.cfg.Optimizer.Averages() && err != nil {
			return err
		}
		x.Changed()
		if _, err := x.settle(ctx); err != nil {
			return err
		}
		tr := StragglerTrained{Name: x.name, Model: x.Path, LR: x.lr, Steps: x.done, LossName: x.task.Name, Accuracy: Number(x.accuracy),
			Weights: fleet.KeyOf(x.part.Weights()), Out: t.c.Out}
		at := tr.Out
		if folder != nil {
			tr.Out = filepath.Join(t.c.Out, x.name+".onnx")
			at = folder.in(tr.Out)
		}
		if at != "" {
			if err := x.finetuning.write(at, true); err != nil {
				return err
			}
			var err error
			if tr.Verify, err = x.verifyWritten(ctx, at, t.c.Threads); err != nil {
				return err
			}
			if !tr.Verify.Pass {
				bad = tr.Out
			}
		}
		for _, l := range x.losses {
			tr.Losses = append(tr.Losses, Number(l))
		}
		t.r.Trainings = append(t.r.Trainings, tr)
	}
	if folder != nil {
		t.r.Report = filepath.Join(t.c.Out, reportPage)
		if err := folder.write(t.r.Report, t.page().Write); err != nil {
			return err
		}
		if err := folder.write(filepath.Join(t.c.Out, "trace.json"), t.trace().WriteJSON); err != nil {
			return err
		}
		if err := folder.replay(t.c.Replay); err != nil {
			return err
		}
		if err := folder.Commit(reportPage); err != nil {
			return err
		}
	}
	if bad != "" {
		return &NoError{fmt.Sprintf("%s does not give the outputs of the trained model", bad)}
	}
	return nil
}

// trace is how long each worker took in the rounds of plain waiting, where there are some, else in all; who was left out has the time at
// which it was.
func (t *stragglerTraining) trace() *straggler.Trace {
	var rounds []StragglerRound
	load := t.r.Segments[0].Load
	for _, r := range t.r.Timeline {
		if r.Scheme == t.r.Segments[0].Scheme { // with auto that is none
			rounds = append(rounds, r)
		}
	}
	tr := t.measured(rounds)
	tr.Load = load
	for w := range tr.Seconds {
		for k, r := range rounds {
			if math.IsNaN(float64(r.At[w])) {
				tr.Seconds[w][k] = r.Seconds
				tr.Cut++
			}
		}
	}
	return tr
}
