package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// shapesRun is a training with everything random that there is, and its model.
func shapesRun(t *testing.T) (*engine.Model, data.Dataset, Config) {
	t.Helper()
	m := load(t, built(t, "resnet8", models.Options{Seed: 1, Classes: 8, ImageSize: 16}))
	ds := open(t, "shapes?n=42&size=16#train")
	p := data.Suggested(ds)
	return m, ds, Config{
		Preprocess: &p, Epochs: 4, BatchSize: 10, Shuffle: true, BN: engine.BNTrain, Seed: 7,
		Augment:   augmented(t, "flip,crop=2,randaugment:n=1,erase,mixup,cutmix"),
		Val:       open(t, "shapes?n=30&size=16#test"),
		Optimizer: rule(t, "diffgrad", optim.Config{}), Schedule: optim.Cosine{Max: 0.02},
	}
}

// weights are copies of all parameters.
func weights(m *engine.Model) map[string]*tensor.Tensor {
	w := map[string]*tensor.Tensor{}
	for p := range m.Params() {
		w[p.Name] = p.Value.Clone()
	}
	return w
}

func sameWeights(t *testing.T, what string, got, want map[string]*tensor.Tensor) {
	t.Helper()
	for n, w := range want {
		if !slices.Equal(got[n].Bytes(), w.Bytes()) {
			t.Errorf("%s: %s differs", what, n)
			return
		}
	}
}

// told is a history without what takes different times, as text, for NaN equals nothing.
func told(h []EpochReport) string {
	s := ""
	for _, r := range h {
		r.Seconds = 0
		s += fmt.Sprintf("%d %d %d %v %v %v %v %v %v\n", r.Epoch, r.Step, r.Examples, r.LR, r.TrainLoss, r.TrainAcc, r.Best, r.Measures,
			recordOf(r.Val))
		s += fmt.Sprintln(*recordOf(r.Val))
	}
	return s
}

// Killed at twenty random moments and resumed each time, a training ends bit for bit where an undisturbed one does: weights, statistics,
// history, the evaluation before, and the best epoch.
func TestKilled(t *testing.T) {
	m, ds, c := shapesRun(t)
	whole, err := Fit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	want := weights(m)
	if err := whole.Best.Restore(m); err != nil {
		t.Fatal(err)
	}
	wantBest := weights(m)
	killed := errors.New("killed")
	r := rand.New(rand.NewPCG(3, 5))
	for _, every := range []int{0, 1, 3} {
		for range 7 {
			path := filepath.Join(t.TempDir(), "checkpoint.npz")
			for kill := true; ; kill = r.IntN(3) > 0 {
				m, ds, c := shapesRun(t)
				c.SaveEvery = every
				c.Save = func(k *Checkpoint) error { return k.Write(path) }
				if k, err := ReadCheckpoint(path); err == nil {
					c.Resume = k
				} else if !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				left := 1 + r.IntN(9)
				c.Step = func(Progress) error {
					if left--; kill && left == 0 {
						return killed
					}
					return nil
				}
				if kill && r.IntN(4) == 0 { // between two epochs
					c.Epoch = func(EpochReport) error { return killed }
				}
				res, err := Fit(context.Background(), m, ds, c)
				if errors.Is(err, killed) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				sameWeights(t, "last", weights(m), want)
				if told(res.History) != told(whole.History) || !reflect.DeepEqual(recordOf(res.Before), recordOf(whole.Before)) {
					t.Errorf("saving every %d steps: the history is\n%s, want\n%s", every, told(res.History), told(whole.History))
				}
				if res.Best.Epoch != whole.Best.Epoch || res.Best.Value != whole.Best.Value {
					t.Errorf("best epoch %d, want %d", res.Best.Epoch, whole.Best.Epoch)
				}
				if err := res.Best.Restore(m); err != nil {
					t.Fatal(err)
				}
				sameWeights(t, "best", weights(m), wantBest)
				break
			}
			left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
	}
}

// A cancelled training is resumed too when it was cancelled while the epoch was being measured.
func TestCancelledInValidation(t *testing.T) {
	m, ds, c := shapesRun(t)
	whole, err := Fit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	want := weights(m)
	m, ds, c = shapesRun(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	path := filepath.Join(t.TempDir(), "c.npz")
	c.Val = cancelling{c.Val, cancel}
	c.Save = func(k *Checkpoint) error { return k.Write(path) }
	armed = 2
	if _, err := Fit(ctx, m, ds, c); !errors.Is(err, context.Canceled) {
		t.Fatalf("not cancelled: %v", err)
	}
	m, ds, c = shapesRun(t)
	if c.Resume, err = ReadCheckpoint(path); err != nil {
		t.Fatal(err)
	}
	if c.Resume.Step != 5 {
		t.Errorf("stopped at step %d, want the end of the first epoch", c.Resume.Step)
	}
	res, err := Fit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	sameWeights(t, "resumed", weights(m), want)
	if told(res.History) != told(whole.History) {
		t.Errorf("the history is\n%s, want\n%s", told(res.History), told(whole.History))
	}
}

// armed counts how many times the first example of a cancelling set may be read.
var armed int

// cancelling cancels when its first example is read too often.
type cancelling struct {
	data.Dataset
	cancel context.CancelFunc
}

func (c cancelling) Example(i int) (data.Example, error) {
	if i == 7 {
		if armed--; armed == 0 {
			c.cancel()
		}
	}
	return c.Dataset.Example(i)
}

// A checkpoint of another run is refused, by the name of what differs and with both values, unless it is taken all the same.
func TestResumeRefused(t *testing.T) {
	m, ds, c := shapesRun(t)
	c.MaxSteps = 3
	var k *Checkpoint
	path := filepath.Join(t.TempDir(), "c.npz")
	c.Save = func(k *Checkpoint) error { return k.Write(path) }
	c.Traits = []Trait{{Name: "lr", Value: "0.02"}}
	if _, err := Fit(context.Background(), m, ds, c); err != nil {
		t.Fatal(err)
	}
	var err error
	if k, err = ReadCheckpoint(path); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(m **engine.Model, ds *data.Dataset, c *Config){
		"lr was 0.02, is 0.01": func(_ **engine.Model, _ *data.Dataset,
			c *Config) {
			c.Traits = []Trait{{Name: "lr", Value: "0.01"}}
		},
		"max-steps was 3, is 4":      func(_ **engine.Model, _ *data.Dataset, c *Config) { c.MaxSteps = 4 },
		"epochs was 4, is 5":         func(_ **engine.Model, _ *data.Dataset, c *Config) { c.Epochs = 5 },
		"batch-size was 10, is 9":    func(_ **engine.Model, _ *data.Dataset, c *Config) { c.BatchSize = 9 },
		"seed was 7, is 8":           func(_ **engine.Model, _ *data.Dataset, c *Config) { c.Seed = 8 },
		"shuffle was true, is false": func(_ **engine.Model, _ *data.Dataset, c *Config) { c.Shuffle = false },
		"bn was train, is frozen":    func(_ **engine.Model, _ *data.Dataset, c *Config) { c.BN = engine.BNFrozen },
		"dropout was false, is true": func(_ **engine.Model, _ *data.Dataset, c *Config) { c.Dropout = true },
		"augment was":                func(_ **engine.Model, _ *data.Dataset, c *Config) { c.Augment = augmented(t, "flip,crop=1") },
		"loss was cross-entropy, is": func(_ **engine.Model, _ *data.Dataset, c *Config) { c.Loss = "cross-entropy:smoothing=0.1" },
		"optimizer was": func(_ **engine.Model, _ *data.Dataset,
			c *Config) {
			c.Optimizer = rule(t, "adam", optim.Config{})
		},
		"patience was 0, is 1":      func(_ **engine.Model, _ *data.Dataset, c *Config) { c.Patience = 1 },
		"no-decay-1d was false, is": func(_ **engine.Model, _ *data.Dataset, c *Config) { c.NoDecay1D = true },
		"trained parameters was 29": func(m **engine.Model, _ *data.Dataset, c *Config) { c.Params = must(Select(*m, nil, true))(t) },
		"tract was not given, is":   func(_ **engine.Model, _ *data.Dataset, c *Config) { c.TrAct = &TrAct{Lambda: 0.1} },
		"val was 30 examples, is 31": func(_ **engine.Model, _ *data.Dataset, c *Config) {
			c.Val = open(t, "shapes?n=31&size=16#test")
		},
		"val was 30 examples, is not g": func(_ **engine.Model, _ *data.Dataset, c *Config) { c.Val = nil },
		"data was 42 examples (content": func(_ **engine.Model, ds *data.Dataset, c *Config) { *ds = open(t, "shapes?n=42&size=16#test") },
		"data was 42 examples, is 41": func(_ **engine.Model, ds *data.Dataset, c *Config) {
			*ds = open(t, "shapes?n=41&size=16#train")
		},
		"model was": func(m **engine.Model, _ *data.Dataset, c *Config) {
			*m = load(t, built(t, "resnet8", models.Options{Seed: 2, Classes: 8, ImageSize: 16}))
		},
	} {
		for _, anyway := range []bool{false, true} {
			m, ds, c := shapesRun(t)
			c.MaxSteps, c.Traits, c.Resume, c.Anyway = 3, []Trait{{Name: "lr", Value: "0.02"}}, k, anyway
			change(&m, &ds, &c)
			res, err := Fit(context.Background(), m, ds, c)
			var refused *ResumeError
			switch {
			case anyway && (err != nil || !strings.Contains(strings.Join(res.Notes, "\n"), name)):
				t.Errorf("%s: taken anyway: %v", name, err)
			case !anyway && (!errors.As(err, &refused) || !strings.Contains(err.Error(), name)):
				t.Errorf("%s: %v", name, err)
			case !anyway && strings.HasPrefix(name, "epochs") && len(refused.Differ) != 1:
				t.Errorf("one change is named as %v", refused.Differ)
			}
		}
	}
	// What the result does not depend on may differ.
	m, ds, c = shapesRun(t)
	c.MaxSteps, c.Traits, c.Resume, c.ValBatch, c.SaveEvery = 3, []Trait{{Name: "lr", Value: "0.02"}}, k, 7, 2
	if _, err := Fit(context.Background(), m, ds, c); err != nil {
		t.Error(err)
	}
	old := &Checkpoint{Step: k.Step, Tensors: k.Tensors}
	c.Resume = old
	if _, err := Fit(context.Background(), m, ds, c); err == nil || !strings.Contains(err.Error(), "older form") {
		t.Errorf("a checkpoint that does not say of which run it is: %v", err)
	}
	c.Anyway = true
	if res, err := Fit(context.Background(), m, ds, c); err != nil || !strings.Contains(strings.Join(res.Notes, " "), "older form") {
		t.Errorf("... taken all the same: %v", err)
	}
}

// A finished training that is resumed does nothing, and tells all that it told.
func TestResumeFinished(t *testing.T) {
	m, ds, c := shapesRun(t)
	var last *Checkpoint
	path := filepath.Join(t.TempDir(), "c.npz")
	c.Save = func(k *Checkpoint) error { return k.Write(path) }
	c.Patience, c.MinDelta, c.Epochs = 1, 2, 9 // no accuracy gains so much
	whole, err := Fit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	if !whole.Stopped || whole.Epochs != 2 || whole.Steps != 10 {
		t.Errorf("stopped %v after %d epochs", whole.Stopped, whole.Epochs)
	}
	want := weights(m)
	if last, err = ReadCheckpoint(path); err != nil {
		t.Fatal(err)
	}
	m, ds, c = shapesRun(t)
	c.Patience, c.MinDelta, c.Epochs, c.Resume = 1, 2, 9, last
	c.Step = func(Progress) error { t.Error("a step was taken"); return nil }
	res, err := Fit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	sameWeights(t, "resumed", weights(m), want)
	if res.Resumed != 10 || res.Steps != 10 || !res.Stopped || told(res.History) != told(whole.History) ||
		res.After.Loss != whole.After.Loss || res.After.Confusion == nil {
		t.Errorf("%+v", res)
	}
}

// must fails the test for an error.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestRecordReadsBack(t *testing.T) {
	r := &record{Form: 1, Seconds: real(math.Pi), Before: &evalRecord{Loss: real(math.Inf(1))},
		History: []epochRecord{{TrainAcc: real(math.NaN()), Measures: map[string]real{"a": 1e-300}}}}
	b, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRecord(b)
	if err != nil || fmt.Sprint(got.History, got.Seconds, got.Before) != fmt.Sprint(r.History, r.Seconds, r.Before) &&
		!math.IsInf(float64(got.Before.Loss), 1) {
		t.Errorf("%v, error %v", got, err)
	}
	for _, bad := range []string{"", "{", `{"form":2}`, `{"form":1,"begun":-1}`, `{"seconds":"soon"}`} {
		if _, err := decodeRecord([]byte(bad)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}
