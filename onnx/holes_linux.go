package onnx

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// nextData is the first part of the bytes at to end of f that may be other than zero: lo ≤ hi ≤ end, and lo is end where there is none.
// A file has holes where it was never written, which take no room on the disk.
func nextData(f *os.File, at, end int64) (lo, hi int64) {
	lo, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // nothing but a hole
		return end, end
	case err != nil || lo >= end:
		if err == nil {
			return end, end
		}
		return at, end
	}
	hi, err = unix.Seek(int(f.Fd()), lo, unix.SEEK_HOLE)
	if err != nil {
		hi = end
	}
	return lo, min(hi, end)
}
