package train

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// FuzzHead looks for the last layer of what the bytes of a file say, and replaces it: the result must load when the original does.
func FuzzHead(f *testing.F) {
	for name, o := range map[string]models.Options{"mlp": {ImageSize: 4, Hidden: 4, Classes: 3},
		"lstm": {Channels: 2, Hidden: 4, Classes: 3}} {
		m, err := models.New(name, o)
		if err != nil {
			f.Fatal(err)
		}
		if b, err := m.Bytes(); err == nil && len(b) < 1<<15 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<15 {
			return
		}
		m, err := onnx.Parse(b)
		if err != nil {
			return
		}
		_, _ = FindHead(m, "")
		if m.Check() != nil {
			return
		}
		if _, err := engine.Load(m); err != nil {
			return
		}
		out, _, err := ReplaceHead(m, 5, 1)
		if err != nil {
			return
		}
		if _, err := engine.Load(out); err != nil {
			t.Fatalf("with a new head it does not load: %v", err)
		}
	})
}

// FuzzCheckpoint reads what may be a checkpoint.
func FuzzCheckpoint(f *testing.F) {
	var b bytes.Buffer
	named := []tensor.Named{{Name: "step", Tensor: tensor.Scalar(int64(3))}, {Name: "param/w", Tensor: tensor.From([]float32{1, 2}, 2)}}
	if err := tensor.WriteNPZ(&b, named); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "c.npz")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := ReadCheckpoint(path)
		if err == nil && c.Step < 0 {
			t.Fatalf("step %d", c.Step)
		}
	})
}
