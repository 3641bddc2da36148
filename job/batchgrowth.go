package job

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/train"
)

// BatchGrowth asks for batches that grow from TrainOptions.BatchSize (train.BatchGrowth, https://arxiv.org/abs/2402.11215).
type BatchGrowth struct {
	Test           string  // norm, ip or ip+orth; required
	Form           string  // exact, layers or parts; "" means exact
	Eta, Theta, Nu float64 // of the tests; 0 means 0.5, 0.5 and 1
	Max            int     // the most examples in a batch; 0 means all
	GrowthMax      float64 // how many times larger than the one before a batch may be at most; 0 means any
	Every          int     // test after so many steps; 0 means after each
}

// config is what package train is asked for.
func (g *BatchGrowth) config() *train.BatchGrowth {
	if g == nil {
		return nil
	}
	return &train.BatchGrowth{Test: g.Test, Form: g.Form, Eta: g.Eta, Theta: g.Theta, Nu: g.Nu, Max: g.Max, Factor: g.GrowthMax,
		Every: g.Every}
}

// BatchesReport says how batches grew.
type BatchesReport struct {
	Test    string        `json:"test"`
	Form    string        `json:"form"`
	First   int           `json:"first"` // examples of the first batch
	Last    int           `json:"last"`  // of the batch that would come next
	Mean    float64       `json:"mean"`
	Max     int           `json:"max"`
	Changes []BatchChange `json:"changes"`
}

// BatchChange is a batch size from a step on.
type BatchChange struct {
	Step     int `json:"step"`
	Examples int `json:"examples"` // seen before
	Size     int `json:"size"`
}

// batchesReport tells what became of the batches, nil where they stayed as they were.
func (f *finetuning) batchesReport(res *train.Result) *BatchesReport {
	if f.cfg.Growth == nil || len(res.Sizes) == 0 {
		return nil
	}
	g := f.cfg.Growth.With(f.train.Len())
	r := &BatchesReport{Test: g.Test, Form: g.Form, First: res.Sizes[0].Size, Last: res.Sizes[len(res.Sizes)-1].Size, Max: g.Max}
	if res.Steps > 0 {
		r.Mean = float64(res.Examples) / float64(res.Steps)
	}
	for _, c := range res.Sizes {
		r.Changes = append(r.Changes, BatchChange(c))
	}
	return r
}

// String says it in a line.
func (r *BatchesReport) String() string {
	return fmt.Sprintf("batches grew from %s to %d in %s, %.4g on average", units.Plural(r.First, "example"), r.Last,
		units.Plural(len(r.Changes)-1, "step"), r.Mean)
}

// batchAdapt says how batches grow, "" where they do not.
func (f *finetuning) batchAdapt() string {
	if f.cfg.Growth == nil {
		return ""
	}
	return f.cfg.Growth.With(f.train.Len()).String()
}
