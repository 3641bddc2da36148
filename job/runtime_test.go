package job_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/job"
)

// TestNoRuntime asks a program that links no other runtime for one.
func TestNoRuntime(t *testing.T) {
	_, err := job.Verify(t.Context(), job.VerifyConfig{Model: "builtin:digits", Golden: t.TempDir(), Runtime: "onnx-go"}, nil)
	var usage *job.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "noruntimes") {
		t.Error(err)
	}
}
