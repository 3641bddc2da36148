package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Exit codes; documented by `gtk help exit-codes`.
const (
	ExitOK          = 0
	ExitNo          = 1 // a check said no
	ExitUsage       = 2
	ExitInput       = 3 // bad or unsupported model or data
	ExitIO          = 4
	ExitInternal    = 70
	ExitInterrupted = 130
)

// usageError is a mistake in the command line.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// inputError is a model or data that cannot be used, when the error itself does not say so by its type.
type inputError struct{ err error }

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// badInput marks err as the input's fault.
func badInput(err error) error {
	if err == nil {
		return nil
	}
	return &inputError{err}
}

// noError is the answer no of a check, already printed.
type noError struct{ msg string }

func (e *noError) Error() string { return e.msg }

// internalError is a mistake of this program.
type internalError struct {
	value any
	stack []byte
}

func (e *internalError) Error() string { return fmt.Sprintf("internal error: %v", e.value) }

// classify returns the exit code and the kind of err.
func classify(err error) (code int, kind string) {
	var (
		usage    *usageError
		no       *noError
		internal *internalError
		crash    *exec.PanicError
		path     *fs.PathError
		errno    syscall.Errno
	)
	switch {
	case errors.Is(err, context.Canceled):
		return ExitInterrupted, "interrupted"
	case errors.As(err, &usage):
		return ExitUsage, "usage"
	case errors.As(err, &no):
		return ExitNo, "check"
	case errors.As(err, &internal), errors.As(err, &crash):
		return ExitInternal, "internal"
	case isInput(err):
		return ExitInput, "input"
	case errors.As(err, &path), errors.As(err, &errno):
		return ExitIO, "io"
	}
	return ExitInput, "input"
}

// isInput reports whether err is one of the error types of malformed or unsupported models and data.
func isInput(err error) bool {
	var (
		format      *onnx.FormatError
		unsupported *onnx.UnsupportedError
		missing     *engine.UnsupportedError
		dataFormat  *data.FormatError
		node        *exec.NodeError
		gradient    *grad.Error
		in          *inputError
	)
	if errors.As(err, &dataFormat) {
		var path *fs.PathError
		return !errors.As(err, &path)
	}
	return errors.As(err, &format) || errors.As(err, &unsupported) || errors.As(err, &missing) || errors.As(err, &node) ||
		errors.As(err, &gradient) || errors.As(err, &in) || errors.Is(err, tensor.ErrNPY)
}

// errorReport is what --json prints for an error.
type errorReport struct {
	Schema  string   `json:"schema"`
	Error   string   `json:"error"`
	Kind    string   `json:"kind"`
	Code    int      `json:"code"`
	Details []string `json:"details"`
}

// fail reports err and returns its exit code.
func (e *env) fail(err error) int {
	code, kind := classify(err)
	details := []string{}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, x := range joined.Unwrap() {
			details = append(details, x.Error())
		}
	}
	var missing *engine.UnsupportedError
	if errors.As(err, &missing) {
		for _, m := range missing.Missing {
			if m.Why != "" {
				details = append(details, fmt.Sprintf("node %q: %s%s (opset %d): %s", m.Node, m.Domain, m.Op, m.Opset, m.Why))
			}
		}
	}
	var internal *internalError
	if errors.As(err, &internal) {
		details = append(details, string(internal.stack))
	}
	var crash *exec.PanicError
	if errors.As(err, &crash) {
		details = append(details, string(crash.Stack))
	}
	msg := err.Error()
	if errors.Is(err, engine.ErrShape) && kind == "input" {
		msg += "; gtk data info SPEC shows the shapes of a data set; --image-size, --channels and --layout change pictures"
	}
	if e.JSON {
		if kind != "check" {
			b, _ := json.Marshal(errorReport{"gtk.error/1", msg, kind, code, details})
			fmt.Fprintf(e.Stdout, "%s\n", b)
		}
	}
	if kind == "check" && !e.JSON {
		return code
	}
	if code == ExitInterrupted {
		msg = "interrupted"
	}
	fmt.Fprintf(e.Stderr, "gtk: %s\n", strings.TrimPrefix(msg, "gtk "))
	if kind == "internal" {
		fmt.Fprintln(e.Stderr, "gtk: this is a mistake in gtk, not in your input; please report it with the model and the command")
	}
	if e.Verbose || kind == "internal" {
		for _, d := range details {
			fmt.Fprintf(e.Stderr, "  %s\n", d)
		}
	}
	return code
}
