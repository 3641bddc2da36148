package data

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// opened is an open file, decompressed when it begins as gzip does.
type opened struct {
	io.Reader
	file *os.File
	size int64 // bytes to expect: the size of the file, or -1 when it is compressed
}

func (o *opened) Close() error { return o.file.Close() }

// openMaybeGzip opens path, or path.gz when there is no path, and looks at the first bytes for compression.
func openMaybeGzip(path string) (*opened, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		if g, gzErr := os.Open(path + ".gz"); gzErr == nil {
			f, err = g, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		switch {
		case err == nil && info.IsDir():
			return nil, aFolder(path)
		case err == nil:
			err = errors.New("not a regular file")
		}
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	b := bufio.NewReaderSize(f, 1<<16)
	if head, _ := b.Peek(2); len(head) == 2 && head[0] == 0x1F && head[1] == 0x8B {
		z, err := gzip.NewReader(b)
		if err != nil {
			f.Close()
			return nil, &FormatError{Path: path, Problem: "damaged gzip file", Err: err, Remedy: "fetch the file again"}
		}
		return &opened{z, f, -1}, nil
	}
	return &opened{b, f, info.Size()}, nil
}

// aFolder is the error of a folder where a file is expected.
func aFolder(path string) error {
	return malformed(path, "", "give the file in it", "a file is needed, not a folder")
}

// readClaimed reads exactly n bytes. Memory grows with what really comes, so a header that lies costs nothing.
func readClaimed(r io.Reader, n int64) ([]byte, error) {
	const chunk = 1 << 22
	buf := make([]byte, 0, min(n, chunk))
	for int64(len(buf)) < n {
		have := len(buf)
		if have == cap(buf) {
			bigger := make([]byte, have, min(n, 2*int64(have)))
			copy(bigger, buf)
			buf = bigger
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
