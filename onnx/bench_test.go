package onnx

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// BenchmarkReadFile reads a model of 350 MB. ratio is the memory allocated in all, by the size of the file: one for the
// bytes of the file, which are released, and one for the model.
func BenchmarkReadFile(b *testing.B) {
	m := addModel(8)
	g := m.Proto.Graph
	for i := range 35 {
		g.Initializer = append(g.Initializer, TensorToProto(strings.Repeat("w", i+3), tensor.New(tensor.Float32, 2_500_000)))
	}
	path := filepath.Join(b.TempDir(), "large.onnx")
	if err := m.WriteFile(path, WriteOptions{}); err != nil {
		b.Fatal(err)
	}
	m, g = nil, nil
	b.SetBytes(350_000_000)
	total := uint64(0)
	for b.Loop() {
		total += allocated(func() {
			r, err := ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			for t := range r.Tensors() {
				if _, err := r.Tensor(t.Proto); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.ReportMetric(float64(total)/350e6/float64(b.N), "ratio")
}

// TestReadMemory is the promise of BenchmarkReadFile on a smaller model.
func TestReadMemory(t *testing.T) {
	b, err := addModel(5_000_000).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	n := allocated(func() {
		m, err := Read(bytes.NewBuffer(b))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Tensor(m.Initializer("w")); err != nil {
			t.Fatal(err)
		}
	})
	if r := float64(n) / float64(len(b)); r > 1.05 {
		t.Errorf("%.2f bytes allocated for a byte of the model, want one copy", r)
	}
	// Cloning shares the contents.
	m, _ := Parse(b)
	if n := allocated(func() { m.Clone() }); n > 1<<20 {
		t.Errorf("Clone allocated %d bytes", n)
	}
}
