package testkit

import (
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// Close fails the test, which goes on, unless |got-want| <= atol + rtol*|want| everywhere (tensor.AllClose) and the element types are the
// same. It reports whether they are close.
func Close(t testing.TB, what string, got, want *tensor.Tensor, rtol, atol float64) bool {
	t.Helper()
	if got == nil || want == nil {
		t.Errorf("%s: got %v, want %v", what, got, want)
		return false
	}
	if got.DType() != want.DType() {
		t.Errorf("%s: element type %v, want %v", what, got.DType(), want.DType())
		return false
	}
	ok, report := tensor.AllClose(got, want, rtol, atol)
	if !ok {
		t.Errorf("%s: %v (rtol %g, atol %g)", what, report, rtol, atol)
	}
	return ok
}
