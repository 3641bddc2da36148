package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// samRun is a training with SAM and everything random that there is.
func samRun(t *testing.T, adaptive bool) (*engine.Model, data.Dataset, Config) {
	m, ds, c := shapesRun(t)
	c.Optimizer = rule(t, "adamw", optim.Config{SAM: new(0.05), SAMAdaptive: adaptive, EMA: new(0.9), ClipNorm: new(5.0)})
	c.Epochs, c.Val = 3, nil
	return m, ds, c
}

// Stopped anywhere, also between its two passes, a run with SAM goes on bit for bit.
func TestSAMResumed(t *testing.T) {
	for _, adaptive := range []bool{false, true} {
		m, ds, c := samRun(t, adaptive)
		if _, err := Fit(t.Context(), m, ds, c); err != nil {
			t.Fatal(err)
		}
		want := weights(m)
		for stop := range 4 {
			ctx, cancel := context.WithCancel(t.Context())
			m, ds, c = samRun(t, adaptive)
			var k *Checkpoint
			c.Save = func(x *Checkpoint) error { k = x; return nil }
			seen := 0
			c.Reduce = func(context.Context, []*optim.Param) error {
				if seen++; seen == 3*stop+2 {
					cancel() // which the next pass notices: the second one of this step
				}
				return nil
			}
			if _, err := Fit(ctx, m, ds, c); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			m, ds, c = samRun(t, adaptive)
			c.Resume = k
			if _, err := Fit(t.Context(), m, ds, c); err != nil {
				t.Fatal(err)
			}
			sameWeights(t, fmt.Sprint("resumed, adaptive ", adaptive), weights(m), want)
		}
	}
}

// Running statistics are those of the first pass: after one step they are what a step without SAM leaves, and the weights are not.
func TestSAMStatistics(t *testing.T) {
	var ends []map[string]*tensor.Tensor
	for _, c := range []optim.Config{{}, {SAM: new(0.5)}} {
		m, ds, cfg := shapesRun(t)
		cfg.Val, cfg.MaxSteps, cfg.Optimizer = nil, 1, rule(t, "sgd", c)
		if _, err := Fit(t.Context(), m, ds, cfg); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, weights(m))
	}
	m, _, _ := shapesRun(t)
	statistics, moved := 0, 0
	for p := range m.Params() {
		same := slices.Equal(ends[0][p.Name].Bytes(), ends[1][p.Name].Bytes())
		switch {
		case p.State && !same:
			t.Errorf("%s is not that of the first pass", p.Name)
		case p.State && !slices.Equal(p.Value.Bytes(), ends[0][p.Name].Bytes()):
			statistics++
		case p.Trainable && !same:
			moved++
		}
	}
	if statistics == 0 || moved == 0 {
		t.Errorf("%d statistics changed, %d weights differ", statistics, moved)
	}
}

// The gradient of the step is that at w + ρ·g/‖g‖.
func TestSAMGradient(t *testing.T) {
	ds := open(t, "digits#test")
	fit := func(m *engine.Model, c optim.Config, lr float64) {
		cfg := Config{Epochs: 1, MaxSteps: 1, BatchSize: 100, Optimizer: rule(t, "sgd", c), Schedule: optim.Constant(lr)}
		if _, err := Fit(t.Context(), m, ds, cfg); err != nil {
			t.Fatal(err)
		}
	}
	fresh := func() *engine.Model { return load(t, built(t, "mlp", models.Options{Seed: 4})) }
	at, plain, sam := fresh(), fresh(), fresh()
	fit(plain, optim.Config{}, 1)
	start, g, size := weights(at), map[string][]float32{}, 0.0
	for name, w := range weights(plain) {
		d := slices.Clone(start[name].F32())
		for i, v := range w.F32() {
			d[i] -= v
			size += float64(d[i]) * float64(d[i])
		}
		g[name] = d
	}
	const rho = 0.2
	at.Thaw()
	for name, d := range g {
		w := param(t, at, name).F32()
		for i, v := range d {
			w[i] += float32(rho * float64(v) / math.Sqrt(size))
		}
	}
	at.Changed()
	moved := weights(at)
	fit(at, optim.Config{}, 1)
	fit(sam, optim.Config{SAM: new(rho)}, 1)
	off, long := 0.0, 0.0
	for name, w := range weights(sam) {
		there := param(t, at, name).F32()
		for i, v := range w.F32() {
			d := float64(v-start[name].F32()[i]) - float64(there[i]-moved[name].F32()[i])
			off += d * d
			long += float64(v-start[name].F32()[i]) * float64(v-start[name].F32()[i])
		}
	}
	if !(off < 1e-8*long) {
		t.Errorf("the step is off by %g of %g", math.Sqrt(off), math.Sqrt(long))
	}
}

func TestSAMRefused(t *testing.T) {
	m, ds, c := samRun(t, false)
	c.TrAct = &TrAct{Lambda: 0.1}
	if _, err := Fit(t.Context(), m, ds, c); err == nil || !strings.Contains(err.Error(), "leave one of the two out") {
		t.Error(err)
	}
}
