package task

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// Meter measures decisions one by one.
type Meter interface {
	Add(d *Decision)
	// Value is the metric so far, NaN when it is not defined.
	Value() float64
}

// Metric is one way to measure a model. One file registers one.
type Metric struct {
	Lower bool              // better when lower
	Make  func(*Task) Meter // nil when the metric says nothing about the task
}

var metrics = registry.Table[Metric]{Kind: "metric"}

// Metrics is the table of metrics.
func Metrics() *registry.Table[Metric] { return &metrics }

// usual are the metrics of each kind, the first one the one by which models are compared.
func (t *Task) usual() []string {
	switch t.Kind {
	case Binary:
		return []string{"accuracy", "balanced_accuracy", "f1", "auroc", "ece"}
	case Multiclass:
		return []string{"accuracy", "top5", "balanced_accuracy", "f1", "ece"}
	case Multilabel:
		return []string{"f1", "accuracy", "auroc"}
	case Regression:
		return []string{"rmse", "mae", "r2"}
	case Dense:
		switch {
		case t.predicts():
			return []string{"perplexity", "accuracy", "top5"}
		case t.text:
			return []string{"accuracy", "top5", "perplexity"}
		}
		return []string{"iou", "accuracy"}
	case Contrastive:
		if t.Measured() {
			return []string{"knn", "linear_probe"}
		}
		return []string{"contrast"}
	case Restoration:
		if t.restores.measured {
			return []string{"psnr", "ssim"}
		}
		return []string{"restoration"}
	}
	return nil
}

// Primary is the metric by which models of the task are compared, and whether lower is better.
func (t *Task) Primary() (name string, lower bool) {
	name = t.usual()[0]
	m, _ := metrics.Lookup(name) // registered
	return name, m.Lower
}

// Measure is one metric with its value.
type Measure struct {
	Name  string
	Value float64
	Lower bool // better when lower
}

// Meters measure the usual metrics of a task.
type Meters struct {
	names  []string
	meters []Meter
}

// NewMeters are the usual meters of t.
func (t *Task) NewMeters() *Meters {
	ms := &Meters{}
	for _, n := range t.usual() {
		m, err := metrics.Lookup(n)
		if err != nil {
			panic("task: " + err.Error()) // a name in usual
		}
		if x := m.Make(t); x != nil {
			ms.names, ms.meters = append(ms.names, n), append(ms.meters, x)
		}
	}
	return ms
}

// Add shows d to all meters.
func (ms *Meters) Add(d *Decision) {
	for _, m := range ms.meters {
		m.Add(d)
	}
}

// Values are the metrics so far, those that are defined.
func (ms *Meters) Values() []Measure {
	var out []Measure
	for i, n := range ms.names {
		m, _ := metrics.Lookup(n)
		if v := ms.meters[i].Value(); !math.IsNaN(v) {
			out = append(out, Measure{n, v, m.Lower})
		}
	}
	return out
}

// ratio is a/b, NaN of nothing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
