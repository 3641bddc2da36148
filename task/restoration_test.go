package task_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestRestoration compares the loss of patches with its definition.
func TestRestoration(t *testing.T) {
	file, err := models.New("dncnn", models.Options{Hidden: 4, Layers: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	tk := task.ForRestoration("noise2score", "residual", "residual", true)
	if name, lower := tk.Primary(); name != "psnr" || lower {
		t.Errorf("measured by %s, lower %v", name, lower)
	}
	s, err := m.Session(engine.Query{Loss: tk.Total(), Fetch: []string{"residual"}})
	if err != nil {
		t.Fatal(err)
	}
	const n, side = 3, 8
	r := rand.New(rand.NewPCG(1, 2))
	b := &data.Batch{IDs: make([]string, n), X: tensor.New(tensor.Float32, n, 1, side, side), Y: tensor.New(tensor.Float32, n, 2, 1, side,
		side)}
	for _, x := range []*tensor.Tensor{b.X, b.Y} {
		for i := range x.F32() {
			x.F32()[i] = float32(r.NormFloat64())
		}
	}
	truth, err := tk.Truth(b)
	if err != nil {
		t.Fatal(err)
	}
	rows := truth.Rows(truth.Mean())
	feeds := map[string]*tensor.Tensor{"input": b.X}
	for _, list := range []map[string]*tensor.Tensor{rows.Same, rows.Weight} {
		for k, v := range list {
			feeds[k] = v
		}
	}
	got, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	f, want := got.Value("residual").F32(), 0.0
	for i, v := range f {
		k := i / (side * side)
		at := 2*k*side*side + i%(side*side)
		d := float64(b.Y.F32()[at])*float64(v) - float64(b.Y.F32()[at+side*side])
		want += d * d / float64(len(f))
	}
	if l := float64(got.Loss().F32()[0]); math.Abs(l-want) > 1e-5*want {
		t.Errorf("loss %g, want %g", l, want)
	}
	if _, err := tk.Truth(&data.Batch{IDs: make([]string, n), X: b.X}); err == nil {
		t.Error("a batch without targets is taken")
	}
	if _, err := tk.Mixed(true); err == nil {
		t.Error("examples are mixed")
	}
}
