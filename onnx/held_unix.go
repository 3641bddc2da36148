//go:build unix

package onnx

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const canDup = true // and read what has no name any more

// dup is f once more, from its beginning.
func dup(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	g := os.NewFile(uintptr(fd), f.Name())
	_, err = g.Seek(0, io.SeekStart)
	return g, err
}
