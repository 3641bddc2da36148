package task_test

import (
	"context"
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// Probabilities are recognised whatever made them: the loss is that of the model's own answer, not of a second softmax or sigmoid behind
// it.
func TestProbabilitiesInDisguise(t *testing.T) {
	z := []float32{2, -1, .5, -.3, 1.5, 0, -2, .25, 1}
	soft := func(i, k int) float64 {
		sum := 0.0
		for _, v := range z[3*i : 3*i+3] {
			sum += math.Exp(float64(v))
		}
		return math.Exp(float64(z[3*i+k])) / sum
	}
	sig := func(i, k int) float64 { return 1 / (1 + math.Exp(-float64(z[3*i+k]))) }
	labels := []int{0, 2, 1}
	nll, bce := 0.0, 0.0
	for i, y := range labels {
		nll -= math.Log(soft(i, y)) / 3
		for k := range 3 {
			p := sig(i, k)
			if k != y {
				p = 1 - p
			}
			bce -= math.Log(p) / 9
		}
	}
	first := []int{1, 0, 1}
	one := 0.0 // of the first column's sigmoid
	for i, y := range first {
		p := sig(i, 0)
		if y == 0 {
			p = 1 - p
		}
		one -= math.Log(p) / 3
	}
	for _, c := range []struct {
		name   string
		nodes  []string
		out    string
		labels []int
		kind   task.Kind
		loss   float64
	}{
		{"exp of logsoftmax", []string{"l = LogSoftmax(x; axis=1)", "y = Exp(l)"}, "y[N,3]", labels, task.Multiclass, nll},
		{"softmax, clipped", []string{"s = Softmax(x; axis=1)", "y = Clip(s, lo, hi)"}, "y[N,3]", labels, task.Multiclass, nll},
		{"sigmoids, clipped", []string{"s = Sigmoid(x)", "y = Clip(s, lo, hi)"}, "y[N,3]", labels, task.Multiclass, bce},
		{"half a tanh", []string{"h = Mul(x, half)", "t = Tanh(h)", "u = Mul(t, half)", "y = Add(u, half)"}, "y[N,3]", labels,
			task.Multiclass, bce},
		{"one of the sigmoids", []string{"s = Sigmoid(x)", "y = Gather(s, zero; axis=1)"}, "y[N]", first, task.Binary, one},
		{"one less it, and it", []string{"s = Sigmoid(x)", "p = Gather(s, zeros; axis=1)", "q = Sub(unit, p)",
			"y = Concat(q, p; axis=1)"}, "y[N,2]", first, task.Multiclass, one},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := testkit.Text{In: []string{"x[N,3]"}, Out: []string{c.out}, Nodes: c.nodes, Init: map[string]*tensor.Tensor{
				"lo": tensor.From([]float32{1e-6}), "hi": tensor.From([]float32{.999999}), "half": tensor.From([]float32{.5}),
				"unit": tensor.From([]float32{1}), "zero": tensor.From([]int64{0}), "zeros": tensor.From([]int64{0}, 1),
			}}.Model(t)
			m, err := engine.Load(&onnx.Model{Proto: file}, engine.WithThreads(1))
			if err != nil {
				t.Fatal(err)
			}
			s := set{x: tensor.From(z, 3, 3), labels: c.labels}
			what, plan, err := of(t, m, s, task.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if what.Kind != c.kind {
				t.Fatalf("%v", what)
			}
			session, err := m.Session(engine.Query{Loss: what.Total(), Fetch: []string{what.Fetch()}})
			if err != nil {
				t.Fatal(err)
			}
			for b, err := range data.Batches(context.Background(), s, data.Sequential(3), 3, data.BatchOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				truth, err := what.Truth(b)
				if err != nil {
					t.Fatal(err)
				}
				err = plan.Run(context.Background(), session, b, truth.Rows(truth.Mean()), func(p feed.Part) error {
					if got := p.Loss().Float64s()[0]; math.Abs(got-c.loss) > 1e-5 {
						t.Errorf("loss %v, want %v", got, c.loss)
					}
					return what.Decisions(p.Value(what.Fetch()), 3, truth, func(i int, d *task.Decision) {
						if p := d.Prob(); c.loss == nll && math.Abs(p[0]-soft(i, 0)) > 1e-5 {
							t.Errorf("probabilities %v of example %d", p, i)
						}
					})
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
