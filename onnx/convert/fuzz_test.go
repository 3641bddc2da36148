package convert_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/convert"
)

// FuzzTo converts what the bytes of a file say. What was valid for package onnx stays so.
func FuzzTo(f *testing.F) {
	for i, b := range testkit.SmallModels(f) {
		f.Add(b, uint8(i*5))
	}
	f.Fuzz(func(t *testing.T, b []byte, to uint8) {
		if len(b) > 1<<14 {
			return
		}
		m, err := onnx.Parse(b)
		if err != nil {
			return
		}
		out, _, err := convert.To(m, int64(to)%(onnx.LatestOpset+2), convert.Options{})
		if err != nil {
			return
		}
		if m.Check() == nil {
			if err := out.Check(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := out.Bytes(); err != nil {
			t.Fatal(err)
		}
	})
}
