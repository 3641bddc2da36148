package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/job"
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

func usagef(format string, args ...any) error {
	return &job.UsageError{Text: fmt.Sprintf(format, args...)}
}

// internalError is a mistake of this program.
type internalError struct {
	value any
	stack []byte
}

func (e *internalError) Error() string { return fmt.Sprintf("internal error: %v", e.value) }

// classify returns the exit code and the kind of err.
func classify(err error) (code int, kind job.Kind) {
	var internal *internalError
	if errors.As(err, &internal) {
		return ExitInternal, job.KindInternal
	}
	kind = job.KindOf(err)
	return map[job.Kind]int{
		job.KindInterrupted: ExitInterrupted, job.KindUsage: ExitUsage, job.KindNo: ExitNo, job.KindInternal: ExitInternal,
		job.KindInput: ExitInput, job.KindIO: ExitIO,
	}[kind], kind
}

// errorReport is what --json prints for an error.
type errorReport struct {
	Schema  string   `json:"schema"`
	Error   string   `json:"error"`
	Kind    job.Kind `json:"kind"`
	Code    int      `json:"code"`
	Details []string `json:"details"`

	Memory *memoryReport `json:"memory,omitempty"` // of an error for want of memory
}

// fail reports err and returns its exit code.
func (e *env) fail(err error) int {
	code, kind := classify(err)
	details := job.Details(err)
	var internal *internalError
	if errors.As(err, &internal) {
		details = append(details, string(internal.stack))
	}
	msg := err.Error()
	if kind == job.KindInput && job.ShapesDiffer(err) {
		msg += "; gtk data info SPEC shows the shapes of a data set; --image-size, --channels and --layout change pictures, ?length= a " +
			"text, ?in= and ?out= windows"
	}
	if e.JSON {
		if kind != job.KindNo {
			b, _ := json.Marshal(errorReport{"gtk.error/1", msg, kind, code, details, memoryOf(err)})
			fmt.Fprintf(e.Stdout, "%s\n", b)
		}
	}
	if kind == job.KindNo && !e.JSON {
		return code
	}
	if code == ExitInterrupted {
		msg = "interrupted"
	}
	fmt.Fprintf(e.Stderr, "gtk: %s\n", strings.TrimPrefix(msg, "gtk "))
	if kind == job.KindInternal {
		fmt.Fprintln(e.Stderr, "gtk: this is a mistake in gtk, not in your input; please report it with the model and the command")
	}
	if e.Verbose || kind == job.KindInternal {
		for _, d := range details {
			fmt.Fprintf(e.Stderr, "  %s\n", d)
		}
	}
	return code
}
