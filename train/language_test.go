package train_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// languageGolden is what testdata/gen/language_golden.py writes.
type languageGolden struct {
	Vocabulary, Context, Width, Heads, Layers, Hidden, N, T, Every int
	Cases                                                          []struct {
		Model     string
		Names     []string
		Logits    []float64
		Loss      float64
		Gradients map[string][]float64 // each Every-th
	}
}

// The language models of package models give the scores, loss and gradients of PyTorch's for the same weights, and have no others.
func TestLanguageModelsAgreeWithPyTorch(t *testing.T) {
	var v languageGolden
	raw, err := os.ReadFile("testdata/language_torch.json")
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	numbers := func(step, first int) *tensor.Tensor {
		x := make([]int64, v.N*v.T)
		for i := range x {
			x[i] = int64((i*step + first) % v.Vocabulary)
		}
		return tensor.From(x, v.N, v.T)
	}
	share := tensor.New(tensor.Float32, v.N) // that each term of an example has in the mean
	for i := range share.F32() {
		share.F32()[i] = 1 / float32(v.N*v.T)
	}
	feeds := map[string]*tensor.Tensor{"input_ids": numbers(5, 0), task.LabelInput: numbers(3, 1), task.WeightInput: share}
	for _, c := range v.Cases {
		t.Run(c.Model, func(t *testing.T) {
			m, err := engine.Load(builtModel(c.Model, models.Options{Vocabulary: v.Vocabulary, Context: v.Context, Width: v.Width, Heads: v.Heads,
				Layers: v.Layers, Hidden: v.Hidden})(t), engine.WithThreads(1))
			if err != nil {
				t.Fatal(err)
			}
			trained := 0
			for p := range m.Params() {
				if p.Trainable {
					trained++
				}
			}
			if trained != len(c.Names) {
				t.Errorf("%d weights are trained, want %d", trained, len(c.Names))
			}
			for k, name := range c.Names {
				p, err := m.Param(name)
				if err != nil {
					t.Fatal(err)
				}
				x := scaled(k, 0.4, p.Value.Shape()...).F32()
				if p.Value.Rank() == 1 && name[len(name)-6:] == "weight" {
					for i := range x {
						x[i]++
					}
				}
				copy(p.Value.F32(), x)
			}
			m.Changed()
			what, err := task.OfModel(m, task.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s, err := m.Session(engine.Query{Loss: what.Total(), Grad: c.Names, Fetch: []string{"logits"}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Run(t.Context(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			closeTo(t, "scores", r.Value("logits").Float64s(), c.Logits, 0)
			closeTo(t, "loss", r.Loss().Float64s(), []float64{c.Loss}, 0)
			least := noise(c.Gradients)
			for _, name := range c.Names {
				var got []float64
				for i, g := range r.Grad(name).Float64s() {
					if i%v.Every == 0 {
						got = append(got, g)
					}
				}
				closeTo(t, "gradient by "+name, got, c.Gradients[name], least)
			}
		})
	}
}
