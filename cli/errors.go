package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/internal/shown"
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
	ExitTimeout     = 124 // as timeout(1) has it
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
		job.KindInput: ExitInput, job.KindIO: ExitIO, job.KindTimeout: ExitTimeout,
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
	msg := message(err)
	switch {
	case errors.Is(err, errGone):
		return ExitOK // there is nothing else that it was to do
	case kind == job.KindInterrupted:
		msg = "interrupted"
	case kind == job.KindTimeout && e.Timeout > 0:
		msg = fmt.Sprintf("stopped: the time of --timeout %v is over", e.Timeout)
	case kind == job.KindInput && job.ShapesDiffer(err):
		msg += "; gtk data info SPEC shows the shapes of a data set; --image-size, --channels and --layout change pictures, ?length= a " +
			"text, ?in= and ?out= windows"
	}
	if e.JSON && kind != job.KindNo {
		_ = e.emit(errorReport{"gtk.error/1", shown.Cut(msg, mostOfError), kind, code, cutAll(details, mostDetails, mostOfError),
			memoryOf(err)})
	}
	if kind == job.KindNo && !e.JSON {
		return code
	}
	out := e.errors()
	left := mostShown
	say := func(line string) {
		line = shown.Cut(line, max(80, left))
		left -= len(line)
		fmt.Fprintf(out, "%s\n", line)
	}
	say("gtk: " + shown.Cut(strings.TrimPrefix(msg, "gtk "), mostOfError))
	if kind == job.KindInternal {
		say("gtk: this is a mistake in gtk, not in your input; please report it with the model and the command")
	}
	if !e.Verbose && kind != job.KindInternal {
		return code
	}
	for i, d := range details {
		if left < 200 && i+1 < len(details) {
			say(fmt.Sprintf("  … and %d more", len(details)-i))
			break
		}
		say("  " + indented(shown.Text(d), "  "))
	}
	return code
}

// The most of an error that is told, in bytes: of its message, and of all that people are shown; and how many details JSON has.
const (
	mostOfError = 2400
	mostShown   = 3600
	mostDetails = 1000
)

// message is what err says: one line that no name in it can end, or a line for each of joined errors, those behind the first indented.
func message(err error) string {
	for in := errors.Unwrap(err); in != nil && in.Error() == err.Error(); in = errors.Unwrap(err) {
		err = in // what only says of which kind it is
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var parts []string
		for _, x := range joined.Unwrap() {
			parts = append(parts, x.Error())
		}
		if strings.Join(parts, "\n") == err.Error() {
			for i := range parts {
				parts[i] = shown.Line(parts[i], mostOfError)
			}
			return strings.Join(parts, "\n  ")
		}
	}
	return shown.Line(err.Error(), mostOfError)
}

// indented is text whose lines behind the first are indented.
func indented(text, indent string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+indent)
}

// cutAll are the first of texts, each cut.
func cutAll(texts []string, most, bytes int) []string {
	out := make([]string, 0, min(len(texts), most))
	for i, s := range texts {
		if i == most && i+1 < len(texts) {
			return append(out, fmt.Sprintf("… and %d more", len(texts)-i))
		}
		out = append(out, shown.Cut(s, bytes))
	}
	return out
}
