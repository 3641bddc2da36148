package train

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// gratings are clean pictures of stripes and steps.
type gratings struct{ n, side int }

func (g gratings) Len() int          { return g.n }
func (g gratings) ID(i int) string   { return string(rune('a' + i)) }
func (g gratings) Label(int) int     { return -1 }
func (g gratings) Classes() []string { return nil }
func (g gratings) Example(i int) (data.Example, error) {
	x := tensor.New(tensor.Uint8, 1, g.side, g.side)
	for k := range x.Bytes() {
		a, b := float64(k%g.side), float64(k/g.side)
		v := 120 + 60*math.Sin(a*(0.2+0.05*float64(i))+b*0.1)
		if a > b {
			v += 50
		}
		x.Bytes()[k] = uint8(v)
	}
	return data.Example{ID: g.ID(i), X: x, Picture: true, Label: -1}, nil
}

// restoring is a training of a small network by an objective.
func restoring(t *testing.T, spec, noise string) (*engine.Model, *denoise.Patches, Config) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name, o, err := denoise.NewObjective(spec)
	must(err)
	n, err := denoise.ParseNoise(noise)
	must(err)
	bank, err := denoise.ReadBank(context.Background(), gratings{4, 48}, denoise.BankConfig{Channels: 1, Noise: n, Add: true, Want: o.Wants(),
		Seed: 1})
	must(err)
	held, err := denoise.ReadBank(context.Background(), gratings{2, 48}, denoise.BankConfig{Channels: 1, Noise: n, Add: true, Want: o.Wants(),
		Seed: 2})
	must(err)
	p := denoise.ParametersFor(o, name, n, bank.Typical, bank.Mean)
	file, err := models.New("dncnn", models.Options{Hidden: 8, Layers: 3, Seed: 1})
	must(err)
	params := []string{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "conv3.weight", "conv3.bias"}
	must(denoise.Compose(file, p))
	m, err := engine.Load(file)
	must(err)
	patches := &denoise.Patches{Bank: bank, Objective: o, Params: p, Side: 24, Each: 10, Seed: 3, Redraw: o.Redraws()}
	val := *patches
	val.Bank, val.Redraw = held, false
	var set feed.Options
	if p.Scores() {
		set.Set = map[string]*tensor.Tensor{denoise.LevelInput: tensor.Scalar(float32(p.Level))}
	}
	plan, err := feed.For(m, patches, set)
	must(err)
	return m, patches, Config{
		Params: params, Task: task.ForRestoration(spec, p.Network, p.Output, true), Feed: plan, Epochs: 3, BatchSize: 8, Shuffle: true,
		Optimizer: rule(t, "adam", optim.Config{}), Schedule: optim.Cosine{Max: 0.005}, Seed: 5, Val: &val,
		Restore: &Restore{Patches: patches, Tiles: denoise.Tiles{Side: 32, Overlap: 8, Multiple: 1}},
	}
}

func TestRestoreLearns(t *testing.T) {
	for _, c := range [][2]string{{"noise2score", "gaussian:40"}, {"noise2score", "poisson:0.05"}, {"noise2score", "gamma:15"},
		{"noise2score:pairs=false:plain=true", "gaussian:40"}, {"supervised", "gaussian:40"}, {"noise2noise", "gaussian:40"},
		{"noise2score", "gaussian:blind"}} {
		m, patches, cfg := restoring(t, c[0], c[1])
		cfg.Epochs = 6
		r, err := Fit(context.Background(), m, patches, cfg)
		if err != nil {
			t.Fatal(err)
		}
		was, is := r.Before.Metric("psnr"), r.After.Metric("psnr")
		if want := 6 * 5; r.Steps != want || r.Examples != want*8 || !(is > was) || r.Best.Metric != "psnr" {
			t.Errorf("%v: %d steps, %d examples, PSNR %.2f → %.2f", c, r.Steps, r.Examples, was, is)
		}
		t.Logf("%v: PSNR %.2f → %.2f, loss %.4f → %.4f", c, was, is, r.Before.Loss, r.After.Loss)
	}
}

// A run that stops in the middle of an epoch ends with the very weights of one that does not.
func TestRestoreResumes(t *testing.T) {
	for _, spec := range []string{"noise2score", "supervised", "noise2noise", "noise2void"} {
		whole, patches, c := restoring(t, spec, "gaussian:25")
		if _, err := Fit(context.Background(), whole, patches, c); err != nil {
			t.Fatal(err)
		}
		stop := errors.New("stop")
		m, patches, c := restoring(t, spec, "gaussian:25")
		path := t.TempDir() + "/k.npz"
		c.SaveEvery = 7
		c.Save = func(k *Checkpoint) error {
			if k.Step > 7 {
				return stop
			}
			return k.Write(path)
		}
		if _, err := Fit(context.Background(), m, patches, c); !errors.Is(err, stop) {
			t.Fatal(err)
		}
		kept, err := ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		m, patches, c = restoring(t, spec, "gaussian:25")
		c.Resume = kept
		r, err := Fit(context.Background(), m, patches, c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Resumed != 7 {
			t.Errorf("%s: resumed at step %d", spec, r.Resumed)
		}
		for p := range whole.Params() {
			if !tensor.Equal(p.Value, param(t, m, p.Name)) {
				t.Errorf("%s: %s differs after the resume", spec, p.Name)
			}
		}
		m, patches, c = restoring(t, spec, "gaussian:26")
		c.Resume = kept
		var refused *ResumeError
		if _, err := Fit(context.Background(), m, patches, c); !errors.As(err, &refused) {
			t.Errorf("%s: other noise resumes: %v", spec, err)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"needs patches":    func(c *Config) { c.Restore = nil },
		"do not go in":     func(c *Config) { c.MicroBatch = 2 },
		"turned and mirro": func(c *Config) { c.Augment, _ = data.ParseAugment("flip") },
		"smaller than":     func(c *Config) { c.Restore.Patches.Side = 64 },
		"sides of at":      func(c *Config) { c.Restore.Patches.Side = 4 },
	} {
		m, patches, c := restoring(t, "noise2score", "gaussian:25")
		change(&c)
		if _, err := Fit(context.Background(), m, patches, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
