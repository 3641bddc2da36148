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
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// importanceRun is a training of more than a round in an epoch.
func importanceRun(t *testing.T) (*engine.Model, data.Dataset, Config) {
	t.Helper()
	m := load(t, built(t, "lenet", models.Options{Seed: 1, Classes: 10, ImageSize: 12}))
	ds := open(t, "digits#test")
	p := data.Suggested(ds)
	if err := p.Set("image-size", "12"); err != nil {
		t.Fatal(err)
	}
	val := must(data.Subset(ds, []int{1, 40, 90, 200}))(t)
	return m, ds, Config{Preprocess: &p, Val: val, Epochs: 3, BatchSize: 12, Shuffle: true, Seed: 3, Augment: augmented(t, "crop=1"),
		Importance: &Importance{Floor: 0.2, Unbiased: true}, Optimizer: rule(t, "adam", optim.Config{}), Schedule: optim.Cosine{Max: 0.003}}
}

// The score of an example is the norm of the gradient of its loss by the logits, whatever its weight was.
func TestImportanceScores(t *testing.T) {
	for _, loss := range []string{"cross-entropy", "focal:gamma=2"} {
		for _, parts := range []int{0, 5} {
			m, ds, c := importanceRun(t)
			ds = must(data.Subset(ds, []int{5, 50, 100, 150, 200, 250, 300, 350, 20, 30, 40, 60}))(t)
			c.Epochs, c.Optimizer, c.Schedule, c.Augment, c.Loss, c.MicroBatch = 2, rule(t, "sgd", optim.Config{}), optim.Constant(1e-30),
				data.Augment{}, loss, parts
			f, err := newFit(context.Background(), m, ds, c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.run(context.Background()); err != nil {
				t.Fatal(err)
			}
			s, err := m.Session(engine.Query{Fetch: []string{f.c.Task.Fetch()}, Loss: f.c.Task.Total(), Grad: []string{f.c.Task.Fetch()}})
			if err != nil {
				t.Fatal(err)
			}
			for b, err := range data.Batches(context.Background(), ds, data.Sequential(ds.Len()), 1,
				data.BatchOptions{Preprocess: c.Preprocess}) {
				if err != nil {
					t.Fatal(err)
				}
				truth := must(f.c.Task.Truth(b))(t)
				feeds := map[string]*tensor.Tensor{"input": b.X}
				for _, more := range []map[string]*tensor.Tensor{truth.Rows(truth.Mean()).Same, truth.Rows(truth.Mean()).Weight} {
					for k, v := range more {
						feeds[k] = v
					}
				}
				r, err := s.Run(context.Background(), feeds)
				if err != nil {
					t.Fatal(err)
				}
				want := 0.0
				for _, g := range r.Grad(f.c.Task.Fetch()).Float64s() {
					want += g * g
				}
				if loss == "cross-entropy" { // ‖softmax(z) − onehot(y)‖
					z, sum, closed := r.Value(f.c.Task.Fetch()).Float64s(), 0.0, 0.0
					for _, v := range z {
						sum += math.Exp(v)
					}
					for k, v := range z {
						d := math.Exp(v) / sum
						if int64(k) == b.Labels[0] {
							d--
						}
						closed += d * d
					}
					if math.Abs(closed-want) > 1e-5 {
						t.Errorf("%v, by the formula %v", want, closed)
					}
				}
				if got := f.importance.tree.At(b.Index[0]); math.Abs(got-math.Sqrt(want)) > 1e-5 {
					t.Errorf("%s, parts of %d: the score of example %d is %v, want %v", loss, parts, b.Index[0], got, math.Sqrt(want))
				}
			}
		}
	}
}

// What is drawn follows the scores, and the weights undo it.
func TestImportanceLaw(t *testing.T) {
	m, ds, c := importanceRun(t)
	ds = must(data.Subset(ds, []int{1, 2, 3, 4}))(t)
	c.Importance.MaxWeight = 100
	f, err := newFit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	x := f.importance
	if first := slices.Clone(x.Order(0)); len(first) != 4 {
		t.Fatalf("the first epoch shows %v", first)
	} else if slices.Sort(first); !slices.Equal(first, []int{0, 1, 2, 3}) {
		t.Errorf("the first epoch shows %v", first)
	}
	scores := []float64{0, 1, 3, 0.5}
	for i, s := range scores {
		x.tree.Set(i, s)
	}
	count, mean := make([]float64, 4), 0.0
	const epochs = 20000
	for e := range epochs {
		for k, i := range x.Order(e + 1) {
			count[i]++
			mean += x.mult[k] * float64(i+1) / (4 * epochs)
		}
	}
	for i, s := range scores {
		if p := 0.8*s/4.5 + 0.2/4; math.Abs(count[i]/(4*epochs)-p) > 0.01 {
			t.Errorf("example %d is drawn %v of the times, want %v", i, count[i]/(4*epochs), p)
		}
	}
	if math.Abs(mean-2.5) > 0.05 {
		t.Errorf("the weighted mean of 1, 2, 3, 4 is %v", mean)
	}
}

// Stopped anywhere and resumed, a training ends with the same bits; another draw does not.
func TestImportanceResumed(t *testing.T) {
	m, ds, c := importanceRun(t)
	whole, err := Fit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	want := weights(m)
	for _, at := range []int{7, 31, 33, 38, 39, 60, 61} {
		path := filepath.Join(t.TempDir(), "checkpoint.npz")
		ctx, stop := context.WithCancel(context.Background())
		m, ds, c := importanceRun(t)
		c.Save = func(k *Checkpoint) error { return k.Write(path) }
		c.Step = func(p Progress) error {
			if p.Step == at {
				stop()
			}
			return ctx.Err()
		}
		if _, err := Fit(ctx, m, ds, c); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		m, ds, c = importanceRun(t)
		c.Resume = must(ReadCheckpoint(path))(t)
		r, err := Fit(context.Background(), m, ds, c)
		if err != nil {
			t.Fatal(err)
		}
		sameWeights(t, "resumed", weights(m), want)
		if r.Resumed != at || told(r.History) != told(whole.History) {
			t.Errorf("resumed at %d: %s, want %s", r.Resumed, told(r.History), told(whole.History))
		}
	}
	m, ds, c = importanceRun(t)
	c.Importance.Unbiased = false
	if _, err := Fit(context.Background(), m, ds, c); err != nil {
		t.Fatal(err)
	}
	same := true
	for n, w := range weights(m) {
		same = same && slices.Equal(w.Bytes(), want[n].Bytes())
	}
	if same {
		t.Error("weights of the losses change nothing")
	}
}

func TestImportanceRefused(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"order of the data": func(c *Config) { c.Shuffle = false },
		"balanced":          func(c *Config) { c.Balanced = true },
		"mixes examples":    func(c *Config) { c.Augment = augmented(t, "mixup") },
		"evaluates the los": func(c *Config) { c.Optimizer = rule(t, "sgd", optim.Config{SAM: new(0.05)}) },
		"want 0 to 1":       func(c *Config) { c.Importance.Floor = 1.5 },
	} {
		m, ds, c := importanceRun(t)
		change(&c)
		if _, err := Fit(t.Context(), m, ds, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
