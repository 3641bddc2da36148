package cli

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/gtk-onnx/gtk/internal/shown"
)

// errGone is that whoever read standard output has closed it: no fault, but a reason to stop where nothing else is made.
var errGone = errors.New("nobody reads standard output any more")

// people is a stream of text for people. What is not to be printed (see package shown) is escaped, whoever wrote it: the names in files
// move no cursor. Where the reader has closed the stream, what is written is dropped.
type people struct{ w io.Writer }

func (p people) Write(b []byte) (int, error) {
	if _, err := p.w.Write([]byte(shown.Text(string(b)))); err != nil && !closedPipe(err) {
		return 0, err
	}
	return len(b), nil
}

// stream is standard output for what programs read: the bytes as they are. Where the reader has closed it, the error is errGone.
type stream struct{ w io.Writer }

func (s stream) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err != nil && closedPipe(err) {
		err = errGone
	}
	return n, err
}

// rows is standard output for a csv: as it is for programs, to be looked at on a terminal.
func (e *env) rows() io.Writer {
	if isTerminal(e.Stdout) {
		return people{e.Stdout}
	}
	return stream{e.Stdout}
}

// mostInLine is how many characters of one argument are printed.
const mostInLine = 1500

// paragraphs is an argument of printf that has line breaks of its own.
type paragraphs string

// printf writes text for people. Each argument stays in its line: only the format, and paragraphs, have line breaks.
func (e *env) printf(format string, args ...any) { fmt.Fprintf(e.human(), format, inLine(args)...) }

// warn tells people something that may matter, on standard error.
func (e *env) warn(format string, args ...any) {
	if !e.Quiet {
		fmt.Fprintf(e.errors(), "note: "+format+"\n", inLine(args)...)
	}
}

// errors is where errors and notes go.
func (e *env) errors() io.Writer { return people{e.Stderr} }

// inLine are args, of which those with text are made to stay in a line.
func inLine(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch k := reflect.ValueOf(a).Kind(); {
		case k >= reflect.Bool && k <= reflect.Complex128 && !isText(a):
			out[i] = a
		default:
			out[i] = word{a}
		}
	}
	return out
}

// isText reports whether a says itself what its text is.
func isText(a any) bool {
	switch a.(type) {
	case fmt.Stringer, error, fmt.Formatter:
		return true
	}
	return false
}

// word is an argument that stays in its line.
type word struct{ v any }

// Format writes what v is with the same verb, in one line.
func (w word) Format(f fmt.State, verb rune) {
	if p, ok := w.v.(paragraphs); ok {
		fmt.Fprintf(f, fmt.FormatString(f, verb), string(p))
		return
	}
	io.WriteString(f, shown.Line(fmt.Sprintf(fmt.FormatString(f, verb), w.v), mostInLine))
}
