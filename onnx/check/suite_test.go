package check

import (
	"fmt"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
)

// TestOfficialSuite finds nothing wrong with the models of ONNX's own suite.
func TestOfficialSuite(t *testing.T) {
	n := 0
	for _, c := range testkit.OfficialSuite(t) {
		m, err := onnx.ReadFile(c.Model)
		if err != nil {
			t.Fatal(err)
		}
		n++
		for _, err := range Full(m) {
			t.Errorf("%s/%s: %v", c.Suite, c.Name, fmt.Sprint(err))
		}
	}
	if n < 1900 {
		t.Errorf("%d models", n)
	}
}
