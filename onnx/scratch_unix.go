//go:build unix

package onnx

import (
	"github.com/gtk-onnx/gtk/internal/memory"
	"golang.org/x/sys/unix"
)

// scratch is memory for a file while it is decoded; free gives it back at once, where garbage would stay until the heap has doubled.
func scratch(n int) (b []byte, free func()) {
	if n >= memory.Small {
		if b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE); err == nil {
			return b, func() { _ = unix.Munmap(b) } // of what was mapped as a whole
		}
	}
	return make([]byte, n), func() {}
}
