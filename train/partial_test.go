package train

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
)

// plainSum adds in float64.
type plainSum []float64

func (s plainSum) Add(i int, x float64) { s[i] += x }

func (s plainSum) Add32(at int, x []float32) {
	for i, v := range x {
		s[at+i] += float64(v)
	}
}

// What a part of the data gives is the same to the bit whatever was computed before it, with the statistics of batches too, and all parts
// together give the step of a training on the whole batch.
func TestPartial(t *testing.T) {
	ds := open(t, "digits#train")
	pre := data.Suggested(ds)
	var batches []*data.Batch
	for b, err := range data.Batches(t.Context(), ds, data.Sequential(ds.Len()), 20, data.BatchOptions{Preprocess: &pre}) {
		if err != nil {
			t.Fatal(err)
		}
		if batches = append(batches, b.Clone()); len(batches) == 3 {
			break
		}
	}
	m := load(t, built(t, "resnet8", models.Options{Classes: 10, Channels: 1, ImageSize: 8}))
	tk, plan, err := understand(t.Context(), m, ds, nil, nil, task.Options{Preprocess: &pre})
	if err != nil {
		t.Fatal(err)
	}
	params, err := Select(m, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPartial(m, PartialConfig{Params: params, Task: tk, Feed: plan, BN: engine.BNTrain})
	if err != nil {
		t.Fatal(err)
	}
	weights := p.Weights()
	if err := p.Load(weights); err != nil {
		t.Fatal(err)
	}
	of := func(b *data.Batch) plainSum {
		s := make(plainSum, p.Len())
		if err := p.Add(t.Context(), b, 1, s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := of(batches[0])
	of(batches[1])
	if !slices.Equal(of(batches[0]), first) {
		t.Error("a part gives something else after another one")
	}
	if got := p.Weights(); !slices.Equal(got, weights) {
		t.Error("computing changes weights or statistics")
	}
	all := make(plainSum, p.Len())
	for _, b := range batches {
		for i, x := range of(b) {
			all[i] += x
		}
	}
	ps := p.Optimised(false)
	got, use, err := p.Gather(func(i int) float64 { return all[i] }, ps)
	if err != nil || got.Examples != 60 || len(use) != len(params) || !(got.Loss > 1 && got.Loss < 5) || math.IsNaN(got.Accuracy) {
		t.Errorf("%+v, %d of %d parameters, %v", got, len(use), len(params), err)
	}
	// The statistics are the mean of those that the parts leave, and no longer those at the start.
	if slices.Equal(p.Weights(), weights) {
		t.Error("the statistics stay")
	}
	for _, short := range [][]byte{nil, weights[4:]} {
		if p.Load(short) == nil {
			t.Errorf("%d bytes are the weights of %d", len(short), len(weights))
		}
	}

	// With statistics that stay, the sum is the gradient of the whole batch.
	frozen := load(t, built(t, "mlp", models.Options{Hidden: 8}))
	few, err := data.Subset(ds, slices.Collect(func(yield func(int) bool) {
		for i := range 60 {
			if !yield(i) {
				return
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	tk, plan, err = understand(t.Context(), frozen, few, nil, nil, task.Options{Preprocess: &pre})
	if err != nil {
		t.Fatal(err)
	}
	if params, err = Select(frozen, nil, false); err != nil {
		t.Fatal(err)
	}
	if p, err = NewPartial(frozen, PartialConfig{Params: params, Task: tk, Feed: plan}); err != nil {
		t.Fatal(err)
	}
	if err := p.Load(p.Weights()); err != nil {
		t.Fatal(err)
	}
	all = make(plainSum, p.Len())
	for _, b := range batches {
		if err := p.Add(t.Context(), b, 0, all); err != nil {
			t.Fatal(err)
		}
	}
	ps = p.Optimised(false)
	if _, _, err := p.Gather(func(i int) float64 { return all[i] }, ps); err != nil {
		t.Fatal(err)
	}
	seen := false
	_, err = Fit(t.Context(), frozen, few, Config{Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(1), BatchSize: -1,
		MaxSteps: 1, Preprocess: &pre, Reduce: func(_ context.Context, whole []*optim.Param) error {
			for k, x := range whole {
				for i, v := range x.G.F32() {
					if math.Abs(float64(v-ps[k].G.F32()[i])) > 1e-6 {
						t.Errorf("%s[%d]: %v by parts, %v at once", x.Name, i, ps[k].G.F32()[i], v)
						return nil
					}
				}
			}
			seen = true
			return nil
		}})
	if err != nil || !seen {
		t.Error(err, seen)
	}
}
