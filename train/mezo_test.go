package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// quantisedNet is a net of two layers whose weights and activations are int8, with real biases, as quantisation tools write it.
func quantisedNet(t *testing.T, threads int, more ...engine.Option) *engine.Model {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	ints := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Int8, shape...)
		for i := range x.Bytes() {
			x.Bytes()[i] = byte(int8(r.IntN(255) - 127))
		}
		return x
	}
	p := testkit.Text{In: []string{"x[N,4]"}, Out: []string{"y[N,3]"}, Order: strings.Fields("v w s z as az b c"),
		Init: map[string]*tensor.Tensor{
			"v": ints(4, 16), "w": ints(16, 3), "s": tensor.Scalar(float32(0.01)), "z": tensor.New(tensor.Int8),
			"as": tensor.Scalar(float32(0.03)), "az": tensor.New(tensor.Int8), "b": tensor.New(tensor.Float32, 16),
			"c": tensor.New(tensor.Float32, 3)}, Nodes: []string{
			"xq = QuantizeLinear(x, as, az)", "xd = DequantizeLinear(xq, as, az)", "vd = DequantizeLinear(v, s, z)",
			"a = Gemm(xd, vd, b)", "h = Relu(a)", "hq = QuantizeLinear(h, as, az)", "hd = DequantizeLinear(hq, as, az)",
			"wd = DequantizeLinear(w, s, z)", "y = Gemm(hd, wd, c)"}}.Model(t)
	m, err := engine.Load(&onnx.Model{Proto: p}, append(more, engine.WithThreads(threads))...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The scales of quantised numbers have no gradient, and are trained without one.
func TestMeZOScales(t *testing.T) {
	m := quantisedNet(t, 1, engine.WithTrainable("s"), engine.ForwardOnly())
	names, err := Select(m, []string{"b", "c"}, false)
	if err != nil || len(names) != 1 || names[0] != "s" {
		t.Fatal(names, err)
	}
	old, err := Evaluate(t.Context(), m, thirds(), EvalConfig{Loss: "mse"})
	if err != nil {
		t.Fatal(err)
	}
	c := mezoConfig(t, 100)
	c.Params, c.Optimizer, c.Schedule = names, mezo(t, 1e-4), optim.Constant(1e-7)
	if _, err := Fit(t.Context(), m, thirds(), c); err != nil {
		t.Fatal(err)
	}
	now, err := Evaluate(t.Context(), m, thirds(), EvalConfig{Loss: "mse"})
	if err != nil {
		t.Fatal(err)
	}
	if s := param(t, m, "s").F32()[0]; s == 0.01 || !(now.Loss < 0.9*old.Loss) {
		t.Errorf("the loss was %v and is %v, the scale is %v", old.Loss, now.Loss, s)
	}
}

// thirds is a data set of three classes.
func thirds() data.Dataset {
	r := rand.New(rand.NewPCG(2, 2))
	x, y := make([]float32, 96*4), make([]float32, 96*3)
	for i := range 96 {
		for k := range 4 {
			x[4*i+k] = float32(r.NormFloat64())
		}
		y[3*i+i%3] = 1
		x[4*i+i%3] += 2
	}
	return regression{tensor.From(x, 96, 4), tensor.From(y, 96, 3)}
}

func mezoConfig(t *testing.T, steps int) Config {
	return Config{Loss: "mse", Epochs: 100, MaxSteps: steps, BatchSize: 32, Shuffle: true, Seed: 3, Optimizer: mezo(t, 0.05),
		Schedule: optim.Constant(0.01)}
}

func mezo(t *testing.T, eps float64) *optim.Optimizer {
	return rule(t, "mezo", optim.Config{Options: optim.Values{"mezo-eps": eps}})
}

// What is estimated is the slope along z, times z.
func TestMeZOEstimate(t *testing.T) {
	m, ds := load(t, built(t, "mlp", models.Options{Seed: 1})), open(t, "digits#train")
	var got, want map[string]*tensor.Tensor
	for _, o := range []*optim.Optimizer{rule(t, "sgd", optim.Config{}), mezo(t, 1e-3)} {
		c := Config{Epochs: 1, MaxSteps: 1, BatchSize: 64, Seed: 5, Optimizer: o,
			Schedule: optim.Constant(0), Reduce: func(_ context.Context, ps []*optim.Param) error {
				got, want = map[string]*tensor.Tensor{}, got
				for _, p := range ps {
					got[p.Name] = p.G.Clone()
				}
				return nil
			}}
		if _, err := Fit(t.Context(), m, ds, c); err != nil {
			t.Fatal(err)
		}
	}
	names, err := Select(m, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	slope := 0.0
	draw := func(use func(name string, i int, z float64)) {
		for k, name := range names {
			r := rand.New(rand.NewPCG(5^0x6d657a6f<<32, uint64(k)))
			for i := range want[name].Len() {
				use(name, i, r.NormFloat64())
			}
		}
	}
	draw(func(name string, i int, z float64) { slope += z * float64(want[name].F32()[i]) })
	worst := 0.0
	draw(func(name string, i int, z float64) { worst = max(worst, math.Abs(float64(got[name].F32()[i])-slope*z)) })
	if worst > 0.05*math.Abs(slope) {
		t.Errorf("the estimate is off by %g where the slope is %g", worst, slope)
	}
}

// A quantised model learns, on any number of threads alike, and its integers stay.
func TestMeZOQuantised(t *testing.T) {
	var ends []map[string]*tensor.Tensor
	for _, threads := range []int{1, 3} {
		m := quantisedNet(t, threads)
		before := integers(t, m)
		old, err := Evaluate(t.Context(), m, thirds(), EvalConfig{Loss: "mse"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Fit(t.Context(), m, thirds(), mezoConfig(t, 200)); err != nil {
			t.Fatal(err)
		}
		now, err := Evaluate(t.Context(), m, thirds(), EvalConfig{Loss: "mse"})
		if err != nil {
			t.Fatal(err)
		}
		if !(now.Loss < 0.8*old.Loss) {
			t.Errorf("the loss was %v and is %v", old.Loss, now.Loss)
		}
		sameWeights(t, "integers", integers(t, m), before)
		ends = append(ends, weights(m))
	}
	sameWeights(t, "three threads", ends[1], ends[0])
}

// integers are the int8 matrices of the quantised net, as they would be written.
func integers(t *testing.T, m *engine.Model) map[string]*tensor.Tensor {
	t.Helper()
	file, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*tensor.Tensor{}
	for _, name := range []string{"v", "w"} {
		w, err := file.Tensor(file.Initializer(name))
		if err != nil || w.DType() != tensor.Int8 {
			t.Fatal(name, w, err)
		}
		all[name] = w.Clone()
	}
	return all
}

// Stopped between steps or within one, a training goes on bit for bit.
func TestMeZOResumed(t *testing.T) {
	m := quantisedNet(t, 1)
	if _, err := Fit(t.Context(), m, thirds(), mezoConfig(t, 20)); err != nil {
		t.Fatal(err)
	}
	want := weights(m)
	for stop := range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		var k *Checkpoint
		c := mezoConfig(t, 20)
		c.Save = func(x *Checkpoint) error { k = x; return nil }
		seen := 0
		c.Reduce = func(context.Context, []*optim.Param) error {
			if seen++; seen == 4*stop+2 {
				cancel() // which the next pass notices
			}
			return nil
		}
		if _, err := Fit(ctx, quantisedNet(t, 1), thirds(), c); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		m, c = quantisedNet(t, 1), mezoConfig(t, 20)
		c.Resume = k
		if _, err := Fit(t.Context(), m, thirds(), c); err != nil {
			t.Fatal(err)
		}
		sameWeights(t, "resumed", weights(m), want)
	}
}

func TestMeZORefused(t *testing.T) {
	c := mezoConfig(t, 1)
	c.BN = engine.BNTrain
	if _, err := Fit(t.Context(), quantisedNet(t, 1), thirds(), c); err == nil || !strings.Contains(err.Error(), "--bn frozen") {
		t.Error(err)
	}
	c = mezoConfig(t, 1)
	c.TrAct = &TrAct{}
	if _, err := Fit(t.Context(), quantisedNet(t, 1), thirds(), c); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Error(err)
	}
}
