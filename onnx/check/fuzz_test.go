package check_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/check"
)

// FuzzFull checks what the bytes of a file say: anything may be wrong with it, but for the program.
func FuzzFull(f *testing.F) {
	for _, b := range testkit.SmallModels(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		m, err := onnx.Parse(b)
		if err != nil {
			return
		}
		for _, err := range check.Full(m) {
			if len(err.Error()) > 1<<14 {
				t.Fatalf("a message of %d bytes", len(err.Error()))
			}
		}
	})
}
