package memory

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// watched is what Watch is to call.
var watched struct {
	on    atomic.Bool
	once  sync.Once
	short func(error)
}

// Watch calls short, once and in any goroutine, when the address space or the data that the system gives the process are nearly used up:
// the Go runtime would end the process a moment later, and nothing could be said. Where there is no limit (ulimit -v, -d) it does nothing.
func Watch(short func(error)) {
	if _, _, ok := room(); !ok || watched.on.Load() {
		return
	}
	watched.short = short
	watched.on.Store(true)
	check(small/4, 0, "the process")
	go func() {
		for {
			wait := 2 * time.Millisecond
			switch left := check(small/4, 0, "the process"); {
			case left > 256<<20:
				wait = 50 * time.Millisecond
			case left < small/2:
				runtime.GC()
				wait = 20 * time.Millisecond
			}
			time.Sleep(wait)
		}
	}()
}

// Need is for memory of a size that nobody chose, n bytes for what, of which no error can be told: where the system would end the process
// for it, what Watch was given is called first. Elsewhere it costs nothing.
func Need(n int, what string) {
	if watched.on.Load() {
		check(small/8, int64(n), what)
	}
}

// Slice is a slice of n elements, see [Need].
func Slice[E any](n int, what string) []E {
	var e E
	Need(n*int(unsafe.Sizeof(e)), what)
	return make([]E, n)
}

// check calls what Watch was given when less than least bytes are left, or no piece of need, also after a collection of garbage.
func check(least, need int64, what string) (left int64) {
	left, piece, _ := room()
	if left >= least && piece >= need {
		return left
	}
	collect()
	if left, piece, _ = room(); left < least || piece < need {
		watched.once.Do(func() { watched.short(&Error{What: what, Need: max(need, least), Left: min(left, piece), Hard: true}) })
	}
	return left
}
