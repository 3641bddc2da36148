package job

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// UsageError is a mistake in what was asked for.
type UsageError struct{ Text string }

// Error is the mistake.
func (e *UsageError) Error() string { return e.Text }

func usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// InputError is a model or data that cannot be used, when the error itself does not say so by its type.
type InputError struct{ Err error }

// Error is that of the error that was found.
func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap is the error that was found.
func (e *InputError) Unwrap() error { return e.Err }

// badInput marks err as the input's fault.
func badInput(err error) error {
	if err == nil {
		return nil
	}
	return &InputError{err}
}

// NoError is the answer no of a check. The report that comes with it is complete.
type NoError struct{ Text string }

// Error is what the check says.
func (e *NoError) Error() string { return e.Text }

// InterruptedError is a training that was cancelled and can be continued.
type InterruptedError struct {
	Step       int    // steps done
	Checkpoint string // file to continue from, FinetuneConfig.Resume
	Err        error
}

// Error is that of the context.
func (e *InterruptedError) Error() string { return e.Err.Error() }

// Unwrap is the error of the context.
func (e *InterruptedError) Unwrap() error { return e.Err }

// Kind says whose fault an error is.
type Kind string

// The kinds of errors.
const (
	KindInterrupted Kind = "interrupted" // the context was cancelled
	KindTimeout     Kind = "timeout"     // the time of the context was over
	KindUsage       Kind = "usage"       // what was asked for
	KindNo          Kind = "check"       // a check said no
	KindInternal    Kind = "internal"    // a mistake of gtk
	KindInput       Kind = "input"       // malformed or unsupported model or data
	KindIO          Kind = "io"          // a file could not be read or written
)

// KindOf is the kind of err.
func KindOf(err error) Kind {
	var (
		usage *UsageError
		no    *NoError
		crash *exec.PanicError
		path  *fs.PathError
		errno syscall.Errno
		short *memory.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return KindInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		return KindTimeout
	case errors.As(err, &usage):
		return KindUsage
	case errors.As(err, &no):
		return KindNo
	case errors.As(err, &crash):
		return KindInternal
	case errors.Is(err, regular.ErrKind), errors.Is(err, regular.ErrSize), isInput(err):
		return KindInput
	case errors.As(err, &short), errors.Is(err, syscall.ENOMEM):
		return KindInput // larger than the memory
	case errors.As(err, &path), errors.As(err, &errno):
		return KindIO
	}
	return KindInput
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
		in          *InputError
	)
	if errors.As(err, &dataFormat) {
		var path *fs.PathError
		return !errors.As(err, &path)
	}
	return errors.As(err, &format) || errors.As(err, &unsupported) || errors.As(err, &missing) || errors.As(err, &node) ||
		errors.As(err, &gradient) || errors.As(err, &in) || errors.Is(err, tensor.ErrNPY)
}

// Details are the parts of err that its message does not show: joined errors, why operators are missing, the stack of a mistake of gtk.
func Details(err error) []string {
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
	var crash *exec.PanicError
	if errors.As(err, &crash) {
		details = append(details, string(crash.Stack))
	}
	return details
}

// ShapesDiffer reports whether err is data of a shape that the model does not take.
func ShapesDiffer(err error) bool { return errors.Is(err, engine.ErrShape) }
