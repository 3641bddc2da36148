package engine_test

import (
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestBertMask: what the mask of a built encoder hides changes nothing, what it shows does.
func TestBertMask(t *testing.T) {
	file, err := models.New("bert", models.Options{Vocabulary: 50, Context: 12, Width: 16, Heads: 2, Layers: 2, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Load(file, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	logits := func(last, seen int64) []float32 {
		r, err := s.Run(t.Context(), map[string]*tensor.Tensor{
			"input_ids": tensor.From([]int64{7, 3, 9, last}, 1, 4), "attention_mask": tensor.From([]int64{1, 1, 1, seen}, 1, 4)})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(r.Value("logits").F32())
	}
	if a, b := logits(11, 0), logits(40, 0); !slices.Equal(a, b) {
		t.Errorf("a hidden token changes the logits from %v to %v", a, b)
	}
	if a, b := logits(11, 1), logits(40, 1); slices.Equal(a, b) {
		t.Errorf("a token that is shown changes nothing: %v", a)
	}
}
