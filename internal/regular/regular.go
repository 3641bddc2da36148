// Package regular opens files to read them: regular ones only, so that a pipe, a device or a socket in the place of a file is refused by its
// kind and stops nothing, and no more of one than the caller allows.
package regular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrKind is in the error of what is no regular file, ErrSize in that of a file over the size allowed.
var (
	ErrKind = errors.New("not a regular file")
	ErrSize = errors.New("over the size limit")
)

// Open opens the regular file path. It never waits for anybody to write.
func Open(path string) (*os.File, error) {
	st, err := os.Stat(path) // before opening: opening a pipe would wait, and a device may act
	if err != nil {
		return nil, err
	}
	if err := Check(path, st); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if st, err = f.Stat(); err == nil {
		err = Check(path, st)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Check refuses what is no regular file, by its kind.
func Check(path string, st fs.FileInfo) error {
	if st.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%s: %w", Kind(st.Mode()), ErrKind)}
}

// Kind says in words what a file of a mode is.
func Kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m.IsRegular():
		return "a file"
	}
	return "a special file"
}

// Read is the content of the regular file path, of at most most bytes.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if st.Size() <= most {
		b.Grow(int(st.Size()) + bytes.MinRead)
		if _, err := b.ReadFrom(io.LimitReader(f, most+1)); err != nil { // some files are longer than they say
			return nil, err
		}
	}
	if n := max(int64(b.Len()), st.Size()); n > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%d bytes, %d are allowed: %w", n, most, ErrSize)}
	}
	return b.Bytes(), nil
}
