package train

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/gtk-onnx/gtk/optim"
)

// averages are optimisers that keep other weights than they train.
var averages = map[string]struct {
	rule string
	c    optim.Config
	lr   optim.Schedule
}{
	"ema":           {"adam", optim.Config{EMA: new(0.8), Lookahead: 3, ClipCoord: new(0.1)}, optim.Cosine{Max: 0.01}},
	"schedule-free": {"schedulefree-adamw", optim.Config{WeightDecay: new(0.01)}, optim.Constant(0.01)},
}

// What is measured after an epoch, reported at the end and kept as the best is the average, and the model has it when the training is over.
func TestAverageIsMeasuredAndKept(t *testing.T) {
	for name, a := range averages {
		t.Run(name, func(t *testing.T) {
			m, ds, c := shapesRun(t)
			c.Optimizer, c.Schedule = rule(t, a.rule, a.c), a.lr
			var trained []float64 // loss with the weights that are trained
			e, err := NewEvaluator(context.Background(), m, c.Val, EvalConfig{Preprocess: c.Preprocess})
			if err != nil {
				t.Fatal(err)
			}
			measure := func() float64 {
				t.Helper()
				m.Changed()
				v, err := e.Run(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				return v.Loss
			}
			c.Epoch = func(EpochReport) error {
				trained = append(trained, measure())
				return nil
			}
			res, err := Fit(context.Background(), m, ds, c)
			if err != nil {
				t.Fatal(err)
			}
			if got := measure(); got != res.After.Loss {
				t.Errorf("the model that is left has a loss of %v, reported is %v", got, res.After.Loss)
			}
			if trained[3] == res.After.Loss {
				t.Error("the weights that were trained are measured")
			}
			if err := res.Best.Restore(m); err != nil {
				t.Fatal(err)
			}
			if got := measure(); got != res.Best.Val.Loss {
				t.Errorf("the best epoch has a loss of %v, reported is %v", got, res.Best.Val.Loss)
			}
		})
	}
}

// As TestKilled, with an average.
func TestKilledWithAverage(t *testing.T) {
	for name, a := range averages {
		t.Run(name, func(t *testing.T) {
			m, ds, c := shapesRun(t)
			c.Optimizer, c.Schedule = rule(t, a.rule, a.c), a.lr
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
			r := rand.New(rand.NewPCG(4, 6))
			for _, every := range []int{0, 1, 3} {
				path := filepath.Join(t.TempDir(), "checkpoint.npz")
				for kill := 6; ; kill-- {
					m, ds, c := shapesRun(t)
					c.Optimizer, c.Schedule, c.SaveEvery = rule(t, a.rule, a.c), a.lr, every
					c.Save = func(k *Checkpoint) error { return k.Write(path) }
					if k, err := ReadCheckpoint(path); err == nil {
						c.Resume = k
					} else if !errors.Is(err, os.ErrNotExist) {
						t.Fatal(err)
					}
					left := 1 + r.IntN(6)
					c.Step = func(Progress) error {
						if left--; kill > 0 && left == 0 {
							return killed
						}
						return nil
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
					if err := res.Best.Restore(m); err != nil {
						t.Fatal(err)
					}
					sameWeights(t, "best", weights(m), wantBest)
					break
				}
			}
		})
	}
}
