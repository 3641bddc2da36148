package train

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// signs are examples whose class is the place of their largest feature.
type signs struct{ x *tensor.Tensor }

func (s signs) Len() int          { return s.x.Dim(0) }
func (s signs) ID(i int) string   { return fmt.Sprint(i) }
func (s signs) Classes() []string { return []string{"a", "b", "c", "d", "e"} }
func (s signs) row(i int) []float32 {
	return s.x.F32()[i*6 : (i+1)*6]
}
func (s signs) Label(i int) int {
	r := s.row(i)[:5]
	return slices.Index(r, slices.Max(r))
}
func (s signs) Example(i int) (data.Example, error) {
	return data.Example{ID: s.ID(i), X: tensor.From(s.row(i), 6), Label: s.Label(i)}, nil
}

// Weights of 16 bits are trained in 32, as steps are often smaller than their resolution, and stay 16 bits in the file.
func TestHalf(t *testing.T) {
	ds := signs{testkit.RandN(1, 300, 6)}
	fit := func(resume *Checkpoint, steps int) (*Checkpoint, *Result) {
		m := load(t, heads(t)["fp16"])
		var last *Checkpoint
		r, err := Fit(context.Background(), m, ds, Config{
			Epochs: 8, MaxSteps: steps, BatchSize: 20, Optimizer: rule(t, "adam", optim.Config{}), Schedule: optim.Constant(0.02),
			Val: ds, Resume: resume, Anyway: true,
			Save: func(k *Checkpoint) error { last = k; return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		f, err := m.Save()
		if err != nil {
			t.Fatal(err)
		}
		w, err := f.Tensor(f.Initializer("w"))
		if err != nil || w.DType() != tensor.Float16 {
			t.Fatalf("saved weight %v (%v)", w, err)
		}
		for i, n := range last.Tensors {
			last.Tensors[i].Tensor = n.Tensor.Clone()
		}
		return last, r
	}
	whole, r := fit(nil, 0)
	if r.After.Accuracy < 0.85 || r.Before.Accuracy > 0.6 {
		t.Errorf("accuracy %.3f → %.3f", r.Before.Accuracy, r.After.Accuracy)
	}
	half, _ := fit(nil, 60)
	again, _ := fit(half, 0)
	for i, n := range whole.Tensors {
		if !slices.Equal(n.Tensor.Bytes(), again.Tensors[i].Tensor.Bytes()) {
			t.Errorf("%s differs after a resume", n.Name)
		}
	}
}
