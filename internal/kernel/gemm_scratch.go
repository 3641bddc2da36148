package kernel

import (
	"math/bits"
	"sync"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/memory"
)

// buffer is scratch memory on a 64-byte boundary.
type buffer struct {
	f     []float32
	raw   []float32
	class int
}

// buffers holds idle buffers by size class, four classes per power of two.
var buffers [64 * 8]sync.Pool

// getBuffer is a buffer of n floats with any content; put gives it back.
func getBuffer(n int) *buffer {
	n = max(n, 1024)
	shift := bits.Len(uint(n-1)) - 3
	units := (n-1)>>shift + 1
	class := shift*8 + units - 1
	b, ok := buffers[class].Get().(*buffer)
	if !ok {
		if 4*(units<<shift) >= memory.Small {
			memory.Need(4*(units<<shift), "the working memory of a kernel")
		}
		b = &buffer{raw: make([]float32, units<<shift+16), class: class}
	}
	off := int(-uintptr(unsafe.Pointer(&b.raw[0]))&63) / 4
	b.f = b.raw[off : off+n]
	return b
}

func (b *buffer) put() { buffers[b.class].Put(b) }
