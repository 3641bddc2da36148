package data

import (
	"fmt"
	"io"
	"os"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// openFile opens a regular file and gives its size.
func openFile(path string) (*os.File, int64, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("data: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("data: %w", err)
	}
	return f, info.Size(), nil
}

// readList reads a text that goes with data, such as a list of ids, of at most most bytes.
func readList(path string, most int64, l Limits) ([]byte, error) {
	b, err := regular.Read(path, min(most, l.bytes()))
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	return b, nil
}

// readClaimed reads exactly n bytes where most bytes are there at most. What a header claims beyond that costs nothing: of less than n
// bytes only the number is found out.
func readClaimed(r io.Reader, n, most int64, l *ledger) ([]byte, error) {
	if n > most {
		const enough = 256 << 20
		have, err := io.Copy(io.Discard, io.LimitReader(r, enough))
		if have == enough {
			have = most
		}
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, &shortError{have, err}
	}
	if err := l.add(n); err != nil {
		return nil, err
	}
	buf := make([]byte, n)
	if have, err := io.ReadFull(r, buf); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, &shortError{int64(have), err}
	}
	return buf, nil
}

// shortError is the error of so many bytes where more were needed.
type shortError struct {
	have int64
	err  error
}

func (e *shortError) Error() string { return e.err.Error() }
func (e *shortError) Unwrap() error { return e.err }
