// Package regular opens files to read them: regular ones only, so that a pipe, a device or a socket in the place of a file is refused by
// its kind and stops nothing, and no more of one than the caller allows.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unsafe"
)

// ErrKind is in the error of what is no regular file, ErrSize in that of a file over the size allowed.
var (
	ErrKind = errors.New("not a regular file")
	ErrSize = errors.New("over the size limit")
)

// Open opens the regular file path. It never waits for anybody to write, also where a pipe takes the place of a file that was looked at.
func Open(path string) (*os.File, error) {
	st, err := os.Stat(path) // before opening: a device may act when it is opened
	if err != nil {
		return nil, err
	}
	if err := Check(path, st); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|NoWait, 0)
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
	m := st.Mode()
	switch {
	case m.IsRegular():
		return nil
	case m.IsDir():
		return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("a folder: %w", ErrKind)}
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%s: %w; save what it gives to a file", Kind(m), ErrKind)}
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
	if st.Size() > most {
		return nil, tooLarge(path, st.Size(), most)
	}
	b, err := All(f, st.Size(), most, nil)
	if errors.Is(err, ErrSize) { // some files are longer than they say
		return nil, tooLarge(path, most+1, most)
	}
	return b, err
}

func tooLarge(path string, n, most int64) error {
	return &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%d bytes, %d are allowed: %w", n, most, ErrSize)}
}

// Ask is asked before memory of so many bytes takes the place of an older piece, whose content is copied. A nil one allows all.
type Ask func(older, bytes int64) error

// All reads r to its end into memory of its size, expect bytes where that is known. It fails with ErrSize after most bytes.
func All(r io.Reader, expect, most int64, ask Ask) ([]byte, error) {
	size := max(512, min(expect, most)+1) // one more, to see the end
	var parts [][]byte                    // before b, full
	total := int64(0)                     // of them
	for {
		if ask != nil {
			if err := ask(0, size); err != nil {
				return nil, err
			}
		}
		b := make([]byte, 0, size)
		for len(b) < cap(b) {
			n, err := r.Read(b[len(b):cap(b)])
			b = b[:len(b)+n]
			switch {
			case total+int64(len(b)) > most:
				return nil, ErrSize
			case err == io.EOF:
				return join(append(parts, b), total+int64(len(b)), ask)
			case err != nil:
				return nil, err
			}
		}
		parts, total = append(parts, b), total+size
		size = min(total, step, max(512, most-total+1))
	}
}

// join is parts one behind another.
func join(parts [][]byte, size int64, ask Ask) ([]byte, error) {
	if len(parts) == 1 {
		return parts[0], nil
	}
	if ask != nil {
		if err := ask(size, size); err != nil {
			return nil, err
		}
	}
	whole := make([]byte, 0, size)
	for i, p := range parts {
		whole, parts[i] = append(whole, p...), nil
	}
	return whole, nil
}

// step is by how many bytes memory grows that is as large already; a smaller piece doubles.
const step = 256 << 20

// Grow is s with room for n more elements, at least: as many as it has room for already, or 256 MiB of them where that is less.
func Grow[E any](s []E, n int, ask Ask) ([]E, error) {
	if cap(s)-len(s) >= n {
		return s, nil
	}
	var e E
	size := max(1, int(unsafe.Sizeof(e)))
	room := max(len(s)+n, cap(s)+min(cap(s), step/size))
	if ask != nil {
		if err := ask(int64(cap(s)*size), int64(room*size)); err != nil {
			return s, err
		}
	}
	grown := make([]E, len(s), room)
	copy(grown, s)
	return grown, nil
}

// IsEmpty reports whether the folder path has nothing in it; false where it cannot be read.
func IsEmpty(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|NoWait, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	names, err := f.Readdirnames(1)
	return len(names) == 0 && err == io.EOF
}
