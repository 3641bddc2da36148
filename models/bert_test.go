package models

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestBert(t *testing.T) {
	m, err := New("bert", Options{Classes: 5, Vocabulary: 300, Context: 40, Width: 96, Heads: 6, Layers: 3, Hidden: 128, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
	for name, shape := range map[string][]int{
		"embeddings.word_embeddings.weight": {300, 96}, "embeddings.position_embeddings.weight": {40, 96},
		"encoder.layer.2.attention.self.query.weight": {96, 96}, "encoder.layer.1.intermediate.dense.weight": {96, 128},
		"pooler.dense.weight": {96, 96}, "classifier.weight": {96, 5},
	} {
		x := initializer(t, m, name)
		if !slices.Equal(x.Shape(), shape) {
			t.Errorf("%s is %v, want %v", name, x.Shape(), shape)
		}
		sum := 0.0
		for _, v := range x.F32() {
			sum += float64(v) * float64(v)
		}
		if sigma := math.Sqrt(sum / float64(x.Len())); math.Abs(sigma/0.02-1) > 0.1 {
			t.Errorf("%s has deviation %.4f, want 0.02", name, sigma)
		}
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Width: 100, Heads: 3}, "width 100 is not a multiple of 3 heads"},
		{Options{Vocabulary: 1 << 20, Width: 1 << 13}, "do not fit into a file of 2 GB"},
		{Options{ImageSize: 100}, "takes no option image-size"},
	} {
		if _, err := New("bert", c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}
