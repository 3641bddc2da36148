package train

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/optim"
)

// A rate that goes by the progress of the training goes on after a resume as it would have: weights and rates are the same.
func TestPlateauResumes(t *testing.T) {
	schedule := func(c *Config) {
		s, err := optim.NewSchedule("plateau:on=train-loss:patience=0:threshold=0.3:factor=0.5", optim.ScheduleConfig{LR: 0.02, Warmup: "3"})
		if err != nil {
			t.Fatal(err)
		}
		c.Schedule, c.Val, c.Balanced = s, nil, true
	}
	m, ds, c := shapesRun(t)
	schedule(&c)
	whole, err := Fit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(whole.History); whole.History[n-1].LR >= whole.History[0].LR {
		t.Fatalf("the rate never dropped: %v", whole.History)
	}
	want, stop := weights(m), errors.New("stop")
	for _, at := range []int{5, 12, 15} {
		path := filepath.Join(t.TempDir(), "c.npz")
		for range 2 {
			m, ds, c = shapesRun(t)
			schedule(&c)
			c.Save, c.SaveEvery = func(k *Checkpoint) error { return k.Write(path) }, 1
			if k, err := ReadCheckpoint(path); err == nil {
				c.Resume = k
			}
			c.Step = func(p Progress) error {
				if c.Resume == nil && p.Step == at {
					return stop
				}
				return nil
			}
			res, err := Fit(context.Background(), m, ds, c)
			switch {
			case c.Resume == nil && !errors.Is(err, stop), c.Resume != nil && err != nil:
				t.Fatal(err)
			case c.Resume != nil:
				sameWeights(t, "resumed", weights(m), want)
				for i, h := range res.History {
					if w := whole.History[i]; h.LR != w.LR || h.TrainLoss != w.TrainLoss {
						t.Errorf("resumed at %d, epoch %d: rate %v, loss %v; want %v, %v", at, h.Epoch, h.LR, h.TrainLoss, w.LR, w.TrainLoss)
					}
				}
			}
		}
	}
	m, ds, c = shapesRun(t)
	s, err := optim.NewSchedule("plateau:on=val-loss", optim.ScheduleConfig{LR: 0.02})
	if err != nil {
		t.Fatal(err)
	}
	c.Schedule, c.Val = s, nil
	if _, err := Fit(context.Background(), m, ds, c); err == nil || !strings.Contains(err.Error(), "needs validation data") {
		t.Errorf("a plateau of data that are not there: %v", err)
	}
}
