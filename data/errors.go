package data

import (
	"errors"
	"fmt"
	"strings"

	account "github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/shown"
)

// FormatError is the error of data that cannot be used as it is: a malformed file, a specification that names
// nothing, a value out of range. Errors of the file system are not FormatErrors; they wrap *fs.PathError.
type FormatError struct {
	Path    string // file, folder or specification
	Place   string // "line 7", "row 3, column age", "offset 16", "image 12"; may be empty
	Problem string // what is wrong
	Remedy  string // what to do about it; may be empty
	Err     error  // the cause, or nil
}

// Error is "data: path: place: problem: cause (remedy)".
func (e *FormatError) Error() string {
	var b strings.Builder
	b.WriteString("data: ")
	b.WriteString(shown.Line(e.Path, 400))
	if e.Place != "" {
		b.WriteString(": " + shown.Line(e.Place, 300))
	}
	if e.Problem != "" {
		b.WriteString(": " + shown.Line(e.Problem, 800))
	}
	if e.Err != nil {
		b.WriteString(": " + shown.Line(e.Err.Error(), 800))
	}
	if e.Remedy != "" {
		b.WriteString(" (" + shown.Line(e.Remedy, 600) + ")")
	}
	return b.String()
}

// Unwrap is the cause.
func (e *FormatError) Unwrap() error { return e.Err }

// ErrUnsupported is wrapped by the errors of formats that are known but not read yet.
var ErrUnsupported = errors.New("not supported yet")

// malformed is a FormatError with a formatted problem.
func malformed(path, place, remedy, format string, args ...any) *FormatError {
	return &FormatError{Path: path, Place: place, Remedy: remedy, Problem: fmt.Sprintf(format, args...)}
}

// refused is the error of what is over a limit or the memory that is left, nil for other errors.
func refused(path, place string, l Limits, err error) error {
	var short *account.Error
	switch {
	case errors.As(err, &short):
		return fmt.Errorf("data: %s: %w", path, err)
	case errors.Is(err, errUnfolds):
		return &FormatError{Path: path, Place: place, Err: errUnfolds, Remedy: "unpack it with gunzip if that is meant"}
	case errors.Is(err, regular.ErrSize):
		return overLimit(path, place, "the content", l)
	}
	return nil
}

// overLimit is the error of what is over Limits.Bytes.
func overLimit(path, place, what string, l Limits) error {
	return malformed(path, place, raise, "%s: over the limit of %d bytes", what, l.bytes())
}

// raise says what raises Limits.Bytes.
const raise = "split the data, or raise the limit: --max-memory, in Go Limits.Bytes"

// Limits bounds what a reader takes from a file; a zero field means its default.
type Limits struct {
	Bytes  int64 // memory for the contents of one data set or one file, default 4 GiB, or the memory budget where one is set that is larger
	Pixels int   // width × height of one picture, default 2^26 (67 megapixels)
}

func (l Limits) bytes() int64 {
	if l.Bytes > 0 {
		return l.Bytes
	}
	if n, chosen := account.Budget(); chosen {
		return max(n, 4<<30)
	}
	return 4 << 30
}

func (l Limits) pixels() int {
	if l.Pixels > 0 {
		return l.Pixels
	}
	return 1 << 26
}

// didYouMean is "did you mean X? " when a near name exists, and always the list, cut to a readable length.
func didYouMean(name string, names []string) string {
	s := ""
	if near := registry.Suggest(name, names); len(near) > 0 {
		s = fmt.Sprintf("did you mean %q? ", near[0])
	}
	const most = 20
	list := names
	if len(list) > most {
		list = list[:most]
	}
	s += "known: " + strings.Join(list, ", ")
	if len(names) > most {
		s += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return s
}
