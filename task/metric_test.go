package task_test

import (
	"context"
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// measured are the usual metrics of the task that is found for outputs equal to z.
func measured(t *testing.T, s set, o task.Options, act string) map[string]float64 {
	t.Helper()
	dims := []any{"N"}
	for _, k := range s.x.Shape()[1:] {
		dims = append(dims, k)
	}
	m := net(t, tensor.Float64, dims, out{name: "y", dims: dims, act: act})
	what, plan, err := of(t, m, s, o)
	if err != nil {
		t.Fatal(err)
	}
	session, err := m.Session(engine.Query{Fetch: []string{what.Fetch()}})
	if err != nil {
		t.Fatal(err)
	}
	ms := what.NewMeters()
	for b, err := range data.Batches(context.Background(), s, data.Sequential(s.Len()), 4, data.BatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		truth, err := what.Truth(b)
		if err != nil {
			t.Fatal(err)
		}
		err = plan.Run(context.Background(), session, b, feed.Rows{}, func(p feed.Part) error {
			return what.Decisions(p.Value(what.Fetch()), b.Len(), truth, func(_ int, d *task.Decision) { ms.Add(d) })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]float64{}
	for _, v := range ms.Values() {
		got[v.Name] = v.Value
	}
	return got
}

func column(x ...float64) *tensor.Tensor { return tensor.From(x, len(x), 1) }

// onehot are scores whose best classes are said.
func onehot(k int, said ...int) *tensor.Tensor {
	x := make([]float64, k*len(said))
	for i, y := range said {
		x[i*k+y] = 1
	}
	return tensor.From(x, len(said), k)
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// The numbers are those of the examples in scikit-learn's documentation, or worked out by hand.
func TestMetrics(t *testing.T) {
	check := func(name string, got, want map[string]float64) {
		t.Helper()
		for n, w := range want {
			if g, ok := got[n]; !ok || math.Abs(g-w) > 1e-9 {
				t.Errorf("%s: %s is %v, want %v (of %v)", name, n, g, w, got)
			}
		}
	}
	check("roc_auc_score", measured(t, set{x: column(logit(.1), logit(.4), logit(.35), logit(.8)), labels: []int{0, 0, 1, 1}},
		task.Options{}, ""), map[string]float64{
		"auroc": 0.75, "accuracy": 0.75, "f1": 2. / 3, "balanced_accuracy": 0.75,
		// Confidences .9, .6, .65, .8 lie in bins of their own; the third is wrong.
		"ece": (.1 + .4 + .65 + .2) / 4,
	})
	check("balanced_accuracy_score", measured(t, set{x: column(-1, 1, -1, -1, -1, 1), labels: []int{0, 1, 0, 0, 1, 0}}, task.Options{},
		"Sigmoid"),
		map[string]float64{"balanced_accuracy": 0.625, "accuracy": 4. / 6})
	check("f1_score", measured(t, set{x: onehot(3, 0, 2, 1, 0, 0, 1), labels: []int{0, 1, 2, 0, 1, 2}}, task.Options{}, ""),
		map[string]float64{"f1": 0.26666666666666666, "accuracy": 2. / 6})
	if m := measured(t, set{x: onehot(3, 0, 1), labels: []int{0, 1}}, task.Options{}, ""); m["accuracy"] != 1 || len(m) != 4 {
		t.Errorf("three classes: %v: the best five say nothing there", m)
	}
	top := set{x: tensor.From([]float64{7, 6, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5, 6, 7}, 2, 7), labels: []int{4, 0}}
	check("top5", measured(t, top, task.Options{}, "Softmax"), map[string]float64{"top5": 0.5, "accuracy": 0})
	check("r2_score", measured(t, set{x: column(2.5, 0, 2, 8), y: column(3, -.5, 2, 7)}, task.Options{}, ""),
		map[string]float64{"r2": 0.9486081370449679, "mae": 0.5, "rmse": math.Sqrt(0.375)})
	check("regression of two outputs", measured(t,
		set{x: tensor.From([]float64{0, 2, -1, 2, 8, -5}, 3, 2), y: tensor.From([]float64{.5, 1, -1, 1, 7, -6}, 3, 2)}, task.Options{},
		""),
		map[string]float64{"r2": 0.9368005266622779, "mae": 0.75})
	labels := set{x: tensor.From([]float64{1, -1, -1, 1}, 2, 2), y: tensor.From([]int64{1, 0, 1, 1}, 2, 2)}
	check("multilabel", measured(t, labels, task.Options{}, "Sigmoid"),
		map[string]float64{"accuracy": 0.5, "f1": (2./3 + 1) / 2, "auroc": 1})
	// Three classes at 2×2 pixels, one without a label: right, right, 1 taken for 2.
	seg := set{x: tensor.From([]float64{9, 0, 0, 0 /**/, 0, 9, 0, 9 /**/, 0, 0, 9, 0}, 1, 3, 2, 2),
		y: tensor.From([]int64{0, 1, 1, -100}, 1, 2, 2)}
	check("segmentation", measured(t, seg, task.Options{}, ""), map[string]float64{"iou": (1 + .5 + 0) / 3, "accuracy": 2. / 3})
	one := math.Log(3)
	words := set{x: tensor.From([]float64{0, 0, 0 /**/, 0, 0, 0 /**/, 5, 0, 0}, 1, 3, 3), y: tensor.From([]int64{0, 1, -100}, 1, 3)}
	check("tokens", measured(t, words, task.Options{}, ""), map[string]float64{"perplexity": math.Exp(one), "accuracy": 0.5})
}
