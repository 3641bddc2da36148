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

// readClaimed reads exactly n bytes, of which left are known to be there, -1 when that is not known. Memory grows with what really comes, so
// a header that lies costs nothing.
func readClaimed(r io.Reader, n, left int64, l *ledger) (buf []byte, err error) {
	first := min(n, 1<<22)
	if left >= n {
		first = n
	}
	if buf, err = regular.Grow(buf, int(first), l.grow); err != nil {
		return nil, err
	}
	for int64(len(buf)) < n {
		have := len(buf)
		if have == cap(buf) {
			if buf, err = regular.Grow(buf, 1, l.grow); err != nil {
				return nil, err
			}
		}
		k, err := io.ReadFull(r, buf[have:min(int64(cap(buf)), n)])
		buf = buf[:have+k]
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return buf, err
		}
	}
	return buf, nil
}
