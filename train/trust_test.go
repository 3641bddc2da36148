package train

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// epochOf is a report with a metric and a loss on the validation data.
func epochOf(n int, metric string, value, loss float64) EpochReport {
	v := &Evaluation{Loss: loss}
	if !math.IsNaN(value) {
		v.Metrics = []task.Measure{{Name: metric, Value: value}}
	}
	return EpochReport{Epoch: n, Step: 10 * n, Val: v}
}

func TestJudge(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		kind    task.Kind
		delta   float64
		values  []float64
		losses  []float64
		best    int
		enough3 int // epoch after which a patience of three is at its end; 0: never
	}{
		{task.Multiclass, 0, []float64{.5, .7, .6, .7, .7}, []float64{1, 1, 1, .9, .95}, 4, 5},
		{task.Multiclass, .1, []float64{.5, .55, .58, .59}, []float64{1, 1, 1, 1}, 4, 4},
		{task.Multiclass, 0, []float64{nan, .1, nan, .2}, []float64{nan, 1, nan, 1}, 4, 0},
		{task.Multiclass, 0, []float64{nan, nan, nan}, []float64{nan, nan, nan}, 0, 3},
		{task.Regression, 0, []float64{3, 2, 2.5, 2}, []float64{9, 4, 6, 4}, 2, 0},
		{task.Regression, .5, []float64{3, 2.6, 2.55, 2.4}, []float64{9, 4, 6, 4}, 4, 0},
	} {
		j := newJudge(&task.Task{Kind: c.kind}, 3, c.delta)
		enough := 0
		for i, v := range c.values {
			j.see(epochOf(i+1, j.metric, v, c.losses[i]))
			if j.enough() && enough == 0 {
				enough = i + 1
			}
		}
		best := 0
		if j.best != nil {
			best = j.best.Epoch
		}
		if best != c.best || enough != c.enough3 {
			t.Errorf("%v %v: best epoch %d, enough after %d; want %d and %d", c.kind, c.values, best, enough, c.best, c.enough3)
		}
	}
}

// The best epoch is kept, although training goes on and gets worse.
func TestBest(t *testing.T) {
	m, tr, val, p := digits(t)
	r, err := Fit(context.Background(), m, tr, Config{
		Epochs: 5, Optimizer: rule(t, "adam", optim.Config{}), Schedule: worse{}, Preprocess: p, Shuffle: true, Val: val,
	})
	if err != nil {
		t.Fatal(err)
	}
	most := slices.MaxFunc(r.History, func(a, b EpochReport) int {
		return int(1e9 * (a.Val.Accuracy - b.Val.Accuracy))
	})
	if r.Best.Epoch != most.Epoch || r.Best.Epoch == 5 || !r.History[0].Best || r.History[4].Best {
		t.Fatalf("best epoch %d; %s", r.Best.Epoch, told(r.History))
	}
	if err := r.Best.Restore(m); err != nil {
		t.Fatal(err)
	}
	again, err := Evaluate(context.Background(), m, val, EvalConfig{Preprocess: p})
	if err != nil || again.Accuracy != r.Best.Value || again.Loss != r.Best.Val.Loss {
		t.Errorf("the best epoch again: %.4f, error %v; want %.4f", again.Accuracy, err, r.Best.Value)
	}
}

// worse is a schedule under which the last epochs spoil the model.
type worse struct{}

func (worse) LR(step, total int) float64 {
	if step > total*3/5 {
		return 0.5
	}
	return 0.003
}

// Whatever goes to infinity is named with its step, and neither saved nor reported as an epoch.
func TestDiverged(t *testing.T) {
	inf := float32(math.Inf(1))
	for name, c := range map[string]struct {
		schedule optim.Schedule
		step     func(m *engine.Model, s int)
		says     string
	}{
		"loss": {optim.Constant(1e30), nil, "is not finite"},
		"weight": {optim.Constant(0.001), func(m *engine.Model, s int) {
			if s == 45 {
				p, _ := m.Param("head.weight")
				p.Value.F32()[0] = 3e38
			}
		}, ""},
		"last": {optim.Constant(0.001), func(m *engine.Model, s int) {
			if s == 46 {
				p, _ := m.Param("head.bias")
				p.Value.F32()[0] = inf
			}
		}, `weight "head.bias" is not finite (+Inf) after step 46`},
	} {
		t.Run(name, func(t *testing.T) {
			m, tr, val, p := digits(t)
			saved := 0
			r, err := Fit(context.Background(), m, tr, Config{
				Epochs: 3, Optimizer: rule(t, "sgd", optim.Config{}), Schedule: c.schedule, Preprocess: p, Val: val, SaveEvery: 1,
				Save: func(k *Checkpoint) error {
					for _, n := range k.Tensors {
						if v, bad := notFinite(n.Tensor); bad {
							t.Errorf("%s is saved with %v", n.Name, v)
						}
					}
					saved = k.Step
					return nil
				},
				Step: func(s Progress) error {
					if c.step != nil {
						c.step(m, s.Step)
					}
					return nil
				},
			})
			var d *DivergedError
			if !errors.As(err, &d) || !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), c.says) || d.Step < 2 ||
				d.Step > 92 || saved >= d.Step {
				t.Errorf("saved at step %d; %v", saved, err)
			}
			if r == nil || len(r.History) > 1 {
				t.Error("a spoilt epoch is in the history")
			}
		})
	}
}

// Statistics of a normalisation that overflow are a divergence, although the loss of the batch is finite.
func TestDivergedStatistics(t *testing.T) {
	m := load(t, built(t, "resnet8", models.Options{Seed: 1, Classes: 8, ImageSize: 16}))
	ds := open(t, "shapes?n=32&size=16#train")
	p := data.Suggested(ds)
	w := param(t, m, "conv1.weight").F32()
	for i := range w {
		w[i] *= 1e22
	}
	_, err := Fit(context.Background(), m, ds, Config{
		Epochs: 1, BatchSize: 16, Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(1e-6), Preprocess: &p,
		BN: engine.BNTrain,
	})
	if !errors.Is(err, ErrDiverged) {
		t.Errorf("%v", err)
	}
}

// Reduce sees the gradients that the optimiser will see: halving them is halving the learning rate of plain gradient descent.
func TestReduce(t *testing.T) {
	run := func(lr float64, reduce func(context.Context, []*optim.Param) error) map[string]*tensor.Tensor {
		m, tr, _, p := digits(t)
		if _, err := Fit(context.Background(), m, tr, Config{
			Epochs: 1, MaxSteps: 5, Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(lr), Preprocess: p, Reduce: reduce,
		}); err != nil {
			t.Fatal(err)
		}
		return weights(m)
	}
	calls := 0
	got := run(0.5, func(_ context.Context, ps []*optim.Param) error {
		calls++
		for _, p := range ps {
			for i := range p.G.F32() {
				p.G.F32()[i] *= 0.5
			}
		}
		return nil
	})
	sameWeights(t, "halved gradients", got, run(0.25, nil))
	if calls != 5 {
		t.Errorf("%d calls, want 5", calls)
	}
	m, tr, _, p := digits(t)
	broken := errors.New("the line is dead")
	_, err := Fit(context.Background(), m, tr, Config{
		Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(1), Preprocess: p,
		Reduce: func(context.Context, []*optim.Param) error { return broken },
	})
	if !errors.Is(err, broken) {
		t.Errorf("an error of Reduce: %v", err)
	}
}

// A last batch of one example joins the one before, and that is said.
func TestLoneExample(t *testing.T) {
	fit := func(bn engine.BNMode, size int) *Result {
		m := load(t, built(t, "resnet8", models.Options{Seed: 1, Classes: 8, ImageSize: 16}))
		ds := open(t, "shapes?n=33&size=16#train")
		p := data.Suggested(ds)
		examples := 0
		r, err := Fit(context.Background(), m, ds, Config{
			Epochs: 1, BatchSize: size, Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(0.01), Preprocess: &p, BN: bn,
			Step: func(s Progress) error { examples = s.Examples; return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if examples != 33 {
			t.Errorf("%d examples seen, want 33", examples)
		}
		return r
	}
	if r := fit(engine.BNTrain, 32); r.Steps != 1 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "has 33 examples") {
		t.Errorf("%d steps, notes %q", r.Steps, r.Notes)
	}
	if r := fit(engine.BNFrozen, 32); r.Steps != 2 || len(r.Notes) != 0 {
		t.Errorf("frozen: %d steps, notes %q", r.Steps, r.Notes)
	}
	if r := fit(engine.BNTrain, 11); r.Steps != 3 || len(r.Notes) != 0 {
		t.Errorf("no lone example: %d steps, notes %q", r.Steps, r.Notes)
	}
	if r := fit(engine.BNTrain, 1); r.Steps != 33 || len(r.Notes) != 1 {
		t.Errorf("batches of one: %d steps, notes %q", r.Steps, r.Notes)
	}
}
