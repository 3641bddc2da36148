package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// Bounds of a table that hold while it is parsed, whatever it holds.
const (
	maxColumns = 1 << 16  // of a table
	maxFields  = 1 << 20  // separators of one row, those in texts included
	maxRow     = 16 << 20 // bytes of one row with all lines of its texts, and of the comments above a table
	maxSample  = 32 << 20 // bytes of the rows that are read before columns are assigned
)

var (
	errLongRow  = fmt.Errorf("a row of more than %d MiB", maxRow>>20)
	errFields   = fmt.Errorf("a row of more than %d fields", maxFields)
	errComments = fmt.Errorf("more than %d MiB of comments above the table", maxRow>>20)
)

// limitedReader fails with regular.ErrSize after so many bytes.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, regular.ErrSize
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// rowReader hands a table to its parser and fails in the midst of a row that is too long or has too many fields, such as one with a quote
// that does not end.
type rowReader struct {
	io.Reader
	separator  []byte
	read       int64 // bytes that were handed out
	row        int64 // where the row begins
	separators int   // in the part of a long row behind its first bytes
}

// next says where the next row begins.
func (r *rowReader) next(at int64) { r.row, r.separators = at, 0 }

func (r *rowReader) Read(p []byte) (int, error) {
	if r.read-r.row > maxRow {
		return 0, errLongRow
	}
	n, err := r.Reader.Read(p)
	if r.read += int64(n); r.read-r.row > maxColumns {
		if r.separators += bytes.Count(p[:n], r.separator); r.separators > maxFields {
			return 0, errFields
		}
	}
	return n, err
}

// line is the next line of a text, of at most most bytes.
func (t *text) line(most int) (string, error) {
	var line []byte
	for {
		part, err := t.ReadSlice('\n')
		if line = append(line, part...); len(line) > most {
			return "", errComments
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return string(line), err
		}
	}
}
