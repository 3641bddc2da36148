package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// digits is a model and its training and test data with their preprocessing.
func digits(t *testing.T) (*engine.Model, data.Dataset, data.Dataset, *data.Preprocess) {
	t.Helper()
	tr := open(t, "digits#train")
	p := data.Suggested(tr)
	return load(t, built(t, "mlp", models.Options{Seed: 1})), tr, open(t, "digits#test"), &p
}

func TestFit(t *testing.T) {
	for _, name := range []string{"sgd", "adam", "adamw", "diffgrad"} {
		t.Run(name, func(t *testing.T) {
			m, tr, val, p := digits(t)
			lr, c := 0.003, optim.Config{}
			if name == "sgd" {
				lr, c = 0.05, optim.Config{Options: optim.Values{"momentum": 0.9}}
			}
			steps := 0
			r, err := Fit(context.Background(), m, tr, Config{
				Epochs: 6, Optimizer: rule(t, name, c), Schedule: optim.Cosine{Max: lr}, Preprocess: p, Shuffle: true, Val: val,
				Step: func(s Progress) error {
					if steps++; s.Step != steps || s.Loss <= 0 || s.SamplesPerSecond <= 0 {
						t.Errorf("step %d: %+v", steps, s)
					}
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := 6 * ((tr.Len() + 31) / 32); r.Steps != want || steps != want || r.Epochs != 6 || len(r.History) != 6 {
				t.Errorf("%d steps, %d told, %d epochs; want %d steps", r.Steps, steps, r.Epochs, want)
			}
			if r.Before.Accuracy > 0.3 || r.After.Accuracy < 0.9 || r.History[5].TrainLoss != r.TrainLoss {
				t.Errorf("accuracy %.3f → %.3f, loss %.3f", r.Before.Accuracy, r.After.Accuracy, r.TrainLoss)
			}
			again, err := Evaluate(context.Background(), m, val, EvalConfig{Preprocess: p, BatchSize: 50})
			if err != nil {
				t.Fatal(err)
			}
			if again.Accuracy != r.After.Accuracy || math.Abs(again.Loss-r.After.Loss) > 1e-6 {
				t.Errorf("evaluated again: %.4f, loss %.6f; want %.4f, %.6f", again.Accuracy, again.Loss, r.After.Accuracy, r.After.Loss)
			}
		})
	}
}

// One epoch of plain gradient descent over all examples in one batch is exactly one gradient step.
func TestOneStep(t *testing.T) {
	m, tr, _, p := digits(t)
	before := map[string]*tensor.Tensor{}
	for q := range m.Params() {
		before[q.Name] = q.Value.Clone()
	}
	names, err := Select(m, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := feed.For(m, tr, feed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	what, err := task.Of(context.Background(), plan, tr, task.Options{Preprocess: p})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{Loss: what.Total(), Grad: names})
	if err != nil {
		t.Fatal(err)
	}
	grads := map[string]*tensor.Tensor{}
	for b, err := range data.Batches(context.Background(), tr, data.Sequential(tr.Len()), 0, data.BatchOptions{Preprocess: p}) {
		if err != nil {
			t.Fatal(err)
		}
		n := b.Len()
		w := tensor.New(tensor.Float32, n)
		for i := range n {
			w.F32()[i] = float32(1 / float64(n))
		}
		r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"input": b.X, task.LabelInput: tensor.From(b.Labels, n),
			task.WeightInput: w})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			grads[n] = r.Grad(n).Clone()
		}
	}
	r, err := Fit(context.Background(), m, tr, Config{Epochs: 1, BatchSize: -1, Optimizer: rule(t, "sgd", optim.Config{}),
		Schedule: optim.Constant(1), Preprocess: p})
	if err != nil {
		t.Fatal(err)
	}
	if r.Steps != 1 {
		t.Errorf("%d steps", r.Steps)
	}
	for _, n := range names {
		got, w, g := param(t, m, n).F32(), before[n].F32(), grads[n].F32()
		for i := range got {
			if got[i] != w[i]-g[i] {
				t.Fatalf("%s[%d] is %g, want %g - %g", n, i, got[i], w[i], g[i])
			}
		}
	}
}

// A training that goes on from a checkpoint, also from the middle of an epoch, ends bit for bit where an uninterrupted one does.
func TestResume(t *testing.T) {
	run := func(c Config, stop int) (*engine.Model, *Checkpoint) {
		m := load(t, built(t, "resnet8", models.Options{Seed: 1, Classes: 8, ImageSize: 16}))
		ds := open(t, "shapes?n=40&size=16#train")
		p := data.Suggested(ds)
		c.Preprocess, c.Epochs, c.BatchSize, c.Shuffle, c.BN, c.Seed = &p, 3, 10, true, engine.BNTrain, 7
		c.Augment = augmented(t, "flip,crop=2")
		c.Optimizer, c.Schedule = rule(t, "diffgrad", optim.Config{}), optim.Cosine{Max: 0.01}
		var saved *Checkpoint
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c.Step = func(s Progress) error {
			if s.Step == stop {
				cancel()
			}
			return nil
		}
		path := filepath.Join(t.TempDir(), "checkpoint.npz")
		c.Save = func(k *Checkpoint) error { return k.Write(path) }
		_, err := Fit(ctx, m, ds, c)
		if stop > 0 != errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		var readErr error
		if saved, readErr = ReadCheckpoint(path); readErr != nil {
			t.Fatal(readErr)
		}
		return m, saved
	}
	whole, _ := run(Config{}, 0)
	for _, stop := range []int{2, 4, 5, 9} {
		_, k := run(Config{}, stop)
		if k.Step != stop {
			t.Errorf("checkpoint of step %d, want %d", k.Step, stop)
		}
		m, end := run(Config{Resume: k}, 0)
		if end.Step != 12 {
			t.Errorf("resumed training ends at step %d", end.Step)
		}
		for p := range whole.Params() {
			if got := param(t, m, p.Name); !slices.Equal(got.Bytes(), p.Value.Bytes()) {
				t.Errorf("stopped at step %d: %s differs", stop, p.Name)
			}
		}
	}
}

func TestBatchNormTraining(t *testing.T) {
	for _, bn := range []engine.BNMode{engine.BNFrozen, engine.BNTrain} {
		m := load(t, built(t, "resnet8", models.Options{Seed: 1, Classes: 8, ImageSize: 16}))
		ds := open(t, "shapes?n=64&size=16#train")
		p := data.Suggested(ds)
		_, err := Fit(context.Background(), m, ds, Config{
			Epochs: 1, BatchSize: 16, Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(0.01), Preprocess: &p, BN: bn,
		})
		if err != nil {
			t.Fatal(err)
		}
		if changed := !FreshBatchNorm(m); changed != (bn == engine.BNTrain) {
			t.Errorf("mode %d: running statistics changed: %v", bn, changed)
		}
		f, err := m.Save()
		if err != nil {
			t.Fatal(err)
		}
		again := load(t, f)
		for q := range m.Params() {
			if !slices.Equal(param(t, again, q.Name).Bytes(), q.Value.Bytes()) {
				t.Errorf("mode %d: %s is not saved as it is", bn, q.Name)
			}
		}
	}
}

func TestFitErrors(t *testing.T) {
	m, tr, _, p := digits(t)
	var one []int
	for i := range tr.Len() {
		if tr.Label(i) == 3 {
			one = append(one, i)
		}
	}
	single, err := data.Subset(tr, one)
	if err != nil {
		t.Fatal(err)
	}
	base := Config{Epochs: 50, Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(0.1), Preprocess: p}
	if _, err := Fit(context.Background(), m, single, base); err == nil || !strings.Contains(err.Error(), "class") {
		t.Errorf("data of one class: %v", err)
	}
	wild := base
	wild.Schedule = optim.Constant(1e30)
	if _, err := Fit(context.Background(), m, tr, wild); !errors.Is(err, ErrDiverged) && !errors.Is(err, optim.ErrNotFinite) {
		t.Errorf("a learning rate of 1e30: %v", err)
	}
	lacking := base
	lacking.Optimizer = nil
	if _, err := Fit(context.Background(), m, tr, lacking); err == nil {
		t.Error("no optimiser, no error")
	}
	stop := errors.New("enough")
	halted := base
	halted.Step = func(Progress) error { return stop }
	m2, _, _, _ := digits(t)
	if _, err := Fit(context.Background(), m2, tr, halted); !errors.Is(err, stop) {
		t.Errorf("error of Step: %v", err)
	}
}

func TestCheckpointDamage(t *testing.T) {
	m, tr, _, p := digits(t)
	f, err := newFit(context.Background(), m, tr, Config{Optimizer: rule(t, "adam", optim.Config{}), Schedule: optim.Constant(0.1),
		Preprocess: p})
	if err != nil {
		t.Fatal(err)
	}
	k := f.checkpoint()
	other := load(t, built(t, "mlp", models.Options{Hidden: 32}))
	if _, err := Fit(context.Background(), other, tr,
		Config{Optimizer: rule(t, "adam", optim.Config{}), Schedule: optim.Constant(0.1), Preprocess: p, Resume: k}); err == nil {
		t.Error("a checkpoint of another model is taken")
	}
	path := filepath.Join(t.TempDir(), "x.npz")
	if err := (&Checkpoint{Step: -1}).Write(path); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCheckpoint(path); err == nil {
		t.Error("a checkpoint without a step is read")
	}
}

func TestEvaluate(t *testing.T) {
	m, _, val, p := digits(t)
	r, err := Evaluate(context.Background(), m, val, EvalConfig{Preprocess: p})
	if err != nil {
		t.Fatal(err)
	}
	n, hits := 0, 0
	for y, row := range r.Confusion {
		for j, k := range row {
			n += k
			if j == y {
				hits += k
			}
		}
	}
	if n != val.Len() || r.N != n || math.Abs(r.Accuracy-float64(hits)/float64(n)) > 1e-12 || r.Top5 < r.Accuracy ||
		len(r.PerClass) != 10 {
		t.Errorf("%+v", r)
	}
	if math.Abs(r.Loss-math.Log(10)) > 0.3 {
		t.Errorf("loss of an untrained model is %.3f, want about ln 10", r.Loss)
	}
	lo, hi := wilson(9, 10)
	// Wilson 1927; values by R's prop.test(9, 10, correct=FALSE).
	if math.Abs(lo-0.5958500) > 1e-6 || math.Abs(hi-0.9821238) > 1e-6 {
		t.Errorf("Wilson interval of 9/10: %.7f to %.7f", lo, hi)
	}
	x, y := testkit.RandN(1, 6, 3), testkit.RandN(2, 6, 2)
	reg := load(t, dense([]any{[]any{1.0, 0.0, 0.0}, []any{0.0, 1.0, 0.0}}, []any{0.0, 0.0}))
	e, err := Evaluate(context.Background(), reg, regression{x, y}, EvalConfig{BatchSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i := range 6 {
		for j := range 2 {
			d := float64(x.F32()[3*i+j] - y.F32()[2*i+j])
			want += d * d / 12
		}
	}
	if !math.IsNaN(e.Accuracy) || math.Abs(e.Loss-want) > 1e-6 {
		t.Errorf("regression: accuracy %v, loss %.6f, want %.6f", e.Accuracy, e.Loss, want)
	}
}
