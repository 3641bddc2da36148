package train

import (
	"context"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
)

// TestBalanced trains on data of which nine in ten are of one class: what is shown is half and half.
func TestBalanced(t *testing.T) {
	all := open(t, "digits#train")
	var index []int
	count := map[int]int{}
	for i := range all.Len() {
		if l := all.Label(i); l < 2 && count[l] < 9-8*l {
			count[l]++
			index = append(index, i)
		}
	}
	ds := must(data.Subset(all, index))(t)
	p := data.Suggested(ds)
	m := load(t, built(t, "mlp", models.Options{Seed: 1, Classes: 10, ImageSize: 8, Channels: 1}))
	c := Config{Preprocess: &p, Epochs: 3, BatchSize: 4, Shuffle: true, Balanced: true, Optimizer: rule(t, "sgd", optim.Config{}),
		Schedule: optim.Constant(0.1)}
	f, err := newFit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[int]int{}
	for epoch := range 2 {
		order := f.sampler.Order(epoch)
		if len(order) != ds.Len() {
			t.Errorf("an epoch shows %d of %d examples", len(order), ds.Len())
		}
		for _, i := range order {
			shown[ds.Label(i)]++
		}
	}
	if shown[0] != shown[1] {
		t.Errorf("shown %v", shown)
	}
	c.Shuffle = false
	if _, err := Fit(context.Background(), m, ds, c); err == nil || !strings.Contains(err.Error(), "order of their own") {
		t.Errorf("balanced in the order of the data: %v", err)
	}
}
