package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// headConfig trains the last layer on all examples at once.
func headConfig(t *testing.T, m *engine.Model, name string, steps int, c optim.Config) Config {
	t.Helper()
	last, err := Select(m, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if c.WeightDecay == nil {
		c.WeightDecay = new(1e-4)
	}
	return Config{Preprocess: new(data.Suggested(open(t, "digits"))), Params: last, Epochs: steps, BatchSize: -1, Optimizer: rule(t, name, c),
		Schedule: optim.Constant(1), Shuffle: true}
}

// digitsHead is the shipped model of digits, its last layer zero where fresh is set.
func digitsHead(t *testing.T, fresh bool) *engine.Model {
	t.Helper()
	m := load(t, built(t, "digits-trained", models.Options{}))
	if !fresh {
		return m
	}
	m.Thaw()
	last, err := Select(m, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range last {
		clear(param(t, m, name).F32())
	}
	m.Changed()
	return m
}

// On the head of digits, over all examples and with a weight decay of 1e-4, GNS takes the norm of the gradient below 1e-6 in at most 15
// steps, from the shipped weights and from zero: in closed form, in float64, of which the weights of the model are the rounding.
func TestGNSOnTheDigitsHead(t *testing.T) {
	ds := open(t, "digits")
	for _, fresh := range []bool{false, true} {
		for _, hessian := range []string{"ggn", "exact"} {
			m := digitsHead(t, fresh)
			c := headConfig(t, m, "gns", 15, optim.Config{Options: optim.Values{"gns-hessian": hessian}})
			res, err := Fit(t.Context(), m, ds, c)
			if err != nil {
				t.Fatal(err)
			}
			last := res.History[len(res.History)-1].Measures
			t.Log(fresh, hessian, res.Steps, res.Converged, last, res.TrainLoss)
			if norm := last["gns.gradient"]; !(norm < 1e-6) || res.Steps > 15 || !strings.Contains(res.Converged, "below 1e-06") {
				t.Errorf("fresh %v, %s: after %d steps the norm of the gradient is %g: %q", fresh, hessian, res.Steps, norm, res.Converged)
			}
		}
	}
}

// L-BFGS and GNS end at the same loss, and the curvatures that leave something out take longer.
func TestDescendersOnTheDigitsHead(t *testing.T) {
	ds := open(t, "digits#test")
	loss := map[string]float64{}
	for _, o := range []struct {
		rule  string
		c     optim.Config
		steps int
	}{{"gns", optim.Config{}, 15}, {"gns", optim.Config{Options: optim.Values{"gns-hessian": "wgn"}}, 60},
		{"gns", optim.Config{Options: optim.Values{"gns-hessian": "fisher"}}, 60}, {"lbfgs", optim.Config{}, 30}} {
		m := digitsHead(t, true)
		res, err := Fit(t.Context(), m, ds, headConfig(t, m, o.rule, o.steps, o.c))
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint(o.rule, o.c.Options)
		loss[name] = math.NaN()
		v, err := Evaluate(t.Context(), m, ds, EvalConfig{Preprocess: new(data.Suggested(ds))})
		if err != nil {
			t.Fatal(err)
		}
		loss[name] = v.Loss
		t.Log(name, res.Steps, res.Converged, v.Loss, res.History[len(res.History)-1].Measures)
	}
	best := loss["gnsmap[]"]
	if l := loss["lbfgsmap[]"]; !(math.Abs(l-best) < 1e-3*best) {
		t.Errorf("lbfgs ends at %g, gns at %g", l, best)
	}
	for _, less := range []string{"wgn", "fisher"} {
		if l := loss["gnsmap[gns-hessian:"+less+"]"]; !(l > best && l < 0.05) {
			t.Errorf("%s ends at %g after 60 steps, the Gauss-Newton matrix at %g after 12", less, l, best)
		}
	}
}

// What the closed form computes is what the model computes, up to float32: loss, gradient and products.
func TestLinearHead(t *testing.T) {
	ds := open(t, "digits#test")
	for _, layer := range []string{"digits-trained", "mlp"} {
		for _, c := range []optim.Curvature{optim.GaussNewton, optim.ExactCurvature, optim.WeightedGN, optim.Fisher} {
			for _, spec := range []string{"", "cross-entropy:smoothing=0.2"} {
				m := load(t, built(t, layer, models.Options{}))
				cfg := headConfig(t, m, "gns", 1, optim.Config{Options: optim.Values{"gns-hessian": string(c)}})
				cfg.Loss = spec
				f, err := newFit(t.Context(), m, ds, cfg)
				if err != nil {
					t.Fatal(err)
				}
				if f.loss.head == nil {
					t.Fatalf("%s: no linear head", layer)
				}
				b := oneBatch(t, ds)
				truth, err := f.c.Task.Truth(b)
				if err != nil {
					t.Fatal(err)
				}
				rows := truth.Rows(truth.Mean())
				closed, plain := f.loss, &objective{f: f, want: c}
				if err := errors.Join(closed.on(t.Context(), b, rows), plain.on(t.Context(), b, rows)); err != nil {
					t.Fatal(err)
				}
				if closed.exact == nil || plain.exact != nil {
					t.Fatal("the closed form is not taken")
				}
				var x []float64
				for _, p := range f.params {
					x = append(x, p.W.Float64s()...)
				}
				v := make([]float64, len(x))
				for i := range v {
					v[i] = math.Sin(float64(3 * i))
				}
				var out [2][][]float64
				for i, o := range []*objective{closed, plain} {
					g, hv := make([]float64, len(x)), make([]float64, len(x))
					loss, err := o.Gradient(t.Context(), x, g)
					if err := errors.Join(err, o.Product(t.Context(), x, v, hv)); err != nil {
						t.Fatal(err)
					}
					out[i] = [][]float64{{loss}, g, hv}
				}
				for i, what := range []string{"loss", "gradient", "product"} {
					d := make([]float64, len(out[0][i]))
					for k := range d {
						d[k] = out[0][i][k] - out[1][i][k]
					}
					if off, size := norm(d), norm(out[1][i]); !(off <= 1e-5*size+1e-7) {
						t.Errorf("%s, %s %s: the %s is off by %g of %g", layer, c, spec, what, off, size)
					}
				}
			}
		}
	}
}

// oneBatch is all examples in one batch.
func oneBatch(t *testing.T, ds data.Dataset) *data.Batch {
	t.Helper()
	for b, err := range data.Batches(t.Context(), ds, data.Sequential(ds.Len()), ds.Len(), data.BatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		return b.Clone()
	}
	return nil
}

// A whole network goes down through products with its curvature, and by L-BFGS; in parts it is the same loss.
func TestDescendersOnANetwork(t *testing.T) {
	ds := open(t, "digits#test") // 540 examples: two parts and a short one
	for _, o := range []struct {
		rule string
		c    optim.Config
	}{{"gns", optim.Config{}}, {"gns", optim.Config{Options: optim.Values{"gns-hessian": "wgn"}}},
		{"gns", optim.Config{Options: optim.Values{"gns-hessian": "fisher"}}},
		{"gns", optim.Config{Options: optim.Values{"gns-hessian": "none"}}},
		{"gns", optim.Config{Options: optim.Values{"gns-hessian": "exact"}}}, {"lbfgs", optim.Config{}}} {
		m := load(t, built(t, "mlp", models.Options{Seed: 4}))
		c := Config{Epochs: 6, BatchSize: -1, Optimizer: rule(t, o.rule, o.c), Schedule: optim.Constant(1)}
		res, err := Fit(t.Context(), m, ds, c)
		if err != nil {
			t.Fatal(err)
		}
		first, last := res.History[0], res.History[len(res.History)-1]
		t.Log(o.rule, o.c.Options, first.TrainLoss, last.TrainLoss, last.Measures)
		if most := map[any]float64{"exact": 1, "none": 1}[o.c.Options["gns-hessian"]]; !(last.TrainLoss < first.TrainLoss*max(most, 0.7)) {
			t.Errorf("%s %v: the loss goes from %g to %g", o.rule, o.c.Options, first.TrainLoss, last.TrainLoss)
		}
	}
}

// Stopped after each step, or within one, a run goes on bit for bit; and one that has converged is over when it is resumed.
func TestDescendersResumed(t *testing.T) {
	ds := open(t, "digits#test")
	for _, name := range []string{"gns", "lbfgs"} {
		for _, head := range []bool{true, false} {
			make := func() (*engine.Model, Config) {
				if head {
					m := digitsHead(t, true)
					c := headConfig(t, m, name, 20, optim.Config{})
					c.Val = open(t, "digits#test")
					return m, c
				}
				m := load(t, built(t, "mlp", models.Options{Seed: 4}))
				return m, Config{Epochs: 5, BatchSize: -1, Optimizer: rule(t, name, optim.Config{}), Schedule: optim.Constant(1),
					Val: open(t, "digits#test")}
			}
			m, c := make()
			res, err := Fit(t.Context(), m, ds, c)
			if err != nil {
				t.Fatal(err)
			}
			want, history := weights(m), told(res.History)
			for stop := 1; stop <= res.Steps; stop += 3 {
				ctx, cancel := context.WithCancel(t.Context())
				m, c = make()
				var k *Checkpoint
				c.Save = func(x *Checkpoint) error {
					if x.Step == stop {
						k = copied(x)
						cancel()
					}
					return nil
				}
				if _, err := Fit(ctx, m, ds, c); err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				cancel()
				m, c = make()
				c.Resume = k
				again, err := Fit(t.Context(), m, ds, c)
				if err != nil {
					t.Fatal(err)
				}
				what := fmt.Sprint(name, " head ", head, " stopped at step ", stop, " of ", res.Steps)
				sameWeights(t, what, weights(m), want)
				if got := told(again.History); got != history || again.Converged != res.Converged || again.Steps != res.Steps {
					t.Errorf("%s: %d steps, %q\n%s, want %d, %q\n%s", what, again.Steps, again.Converged, got, res.Steps, res.Converged,
						history)
				}
			}
		}
	}
}

// copied is a checkpoint that training does not go on changing.
func copied(k *Checkpoint) *Checkpoint {
	c := *k
	c.Tensors = nil
	for _, n := range k.Tensors {
		c.Tensors = append(c.Tensors, tensor.Named{Name: n.Name, Tensor: n.Tensor.Clone()})
	}
	return &c
}

func TestDescendersRefused(t *testing.T) {
	ds := open(t, "digits#test")
	for want, change := range map[string]func(*Config){
		"--batch-size ALL": func(c *Config) { c.BatchSize = 64 },
		"--augment":        func(c *Config) { c.Augment = augmented(t, "flip") },
		"--dropout":        func(c *Config) { c.Dropout = true },
		"--bn frozen":      func(c *Config) { c.BN = engine.BNTrain },
		"TrAct":            func(c *Config) { c.TrAct = &TrAct{Lambda: 0.1} },
		"--unfreeze-every": func(c *Config) { c.Unfreeze = &Unfreeze{Every: 1} },
		"balanced":         func(c *Config) { c.Balanced = true },
		"can be changed":   func(c *Config) { c.Reduce = func(context.Context, []*optim.Param) error { return nil } },
		"take ggn": func(c *Config) {
			c.Loss, c.Optimizer = "focal", rule(t, "gns", optim.Config{Options: optim.Values{"gns-hessian": "wgn"}})
		},
		"no optimiser or sc": func(c *Config) { c.Schedule = nil },
	} {
		m := load(t, built(t, "mlp", models.Options{Seed: 4}))
		c := Config{Epochs: 1, BatchSize: -1, Optimizer: rule(t, "gns", optim.Config{}), Schedule: optim.Constant(1)}
		change(&c)
		if _, err := Fit(t.Context(), m, ds, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
