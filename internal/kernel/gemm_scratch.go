package kernel

import (
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/memory"
)

// buffer is scratch memory on a 64-byte boundary.
type buffer struct {
	f     []float32
	raw   []float32
	class int
	used  bool // since the last collection of garbage, of those in large
}

// buffers holds idle buffers by size class, four classes per power of two.
var buffers [64 * 8]sync.Pool

// largeFloats is the size from which on a buffer stands in for smaller ones: there are as many of those as are used at a time, not one of
// each size that was ever asked for.
const largeFloats = 1 << 18

var large struct {
	sync.Mutex
	idle []*buffer // by size
}

// getBuffer is a buffer of n floats with any content; put gives it back.
func getBuffer(n int) *buffer {
	n = max(n, 1024)
	shift := bits.Len(uint(n-1)) - 3
	units := (n-1)>>shift + 1
	class := shift*8 + units - 1
	var b *buffer
	if units<<shift >= largeFloats {
		b = getLarge(n)
	} else {
		b, _ = buffers[class].Get().(*buffer)
	}
	if b == nil {
		b = newBuffer(units << shift)
		b.class = class
	}
	b.align(n)
	return b
}

// newBuffer is a buffer of n floats that is kept.
func newBuffer(n int) *buffer {
	if 4*n >= memory.Small {
		memory.Need(4*n, "the working memory of a kernel")
	}
	b := &buffer{raw: make([]float32, n+16)}
	b.align(n)
	return b
}

func (b *buffer) align(n int) {
	off := int(-uintptr(unsafe.Pointer(&b.raw[0]))&63) / 4
	b.f = b.raw[off : off+n]
}

func (b *buffer) put() {
	if len(b.raw) < largeFloats+16 {
		buffers[b.class].Put(b)
		return
	}
	large.Lock()
	defer large.Unlock()
	if len(large.idle) == 0 {
		runtime.AddCleanup(new([8]byte), forget, 0)
	}
	b.used = true
	large.idle = slices.Insert(large.idle, sizeFrom(len(b.raw)), b)
}

// sizeFrom is the index of the first idle buffer with raw floats or more.
func sizeFrom(raw int) int {
	i, _ := slices.BinarySearchFunc(large.idle, raw, func(b *buffer, raw int) int { return len(b.raw) - raw })
	return i
}

// getLarge is the smallest idle buffer for n floats, nil where there is none. Smaller ones stay: what is given up stays in memory until a
// collection of garbage, and there is little other garbage that would bring one about.
func getLarge(n int) *buffer {
	large.Lock()
	defer large.Unlock()
	i := sizeFrom(n + 16)
	if i < len(large.idle) {
		b := large.idle[i]
		large.idle = slices.Delete(large.idle, i, i+1)
		return b
	}
	return nil
}

// forget drops the idle buffers that were not used since the last collection of garbage, and waits for the next one.
func forget(int) {
	large.Lock()
	defer large.Unlock()
	large.idle = slices.DeleteFunc(large.idle, func(b *buffer) bool { return !b.used })
	for _, b := range large.idle {
		b.used = false
	}
	if len(large.idle) > 0 {
		runtime.AddCleanup(new([8]byte), forget, 0)
	}
}
