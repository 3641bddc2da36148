package engine_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
)

// FuzzTypes infers the types and shapes of what the bytes of a file say.
func FuzzTypes(f *testing.F) {
	for _, b := range testkit.SmallModels(f) {
		f.Add(b)
	}
	exec.MaxValueBytes, exec.MinRunBytes = 1<<22, 1<<22
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		m, err := onnx.Parse(b)
		if err != nil || m.Proto.GetGraph() == nil {
			return
		}
		_, err = engine.Types(m, engine.WithThreads(1))
		noPanic(t, err)
	})
}
