//go:build invariants

package parallel

import "sync/atomic"

// serial runs the loop on the calling goroutine, the last chunk first: what a chunk needs of the one before it shows with one thread as
// well.
func serial(n, grain int, body func(lo, hi int)) {
	for lo := (n - 1) / grain * grain; lo >= 0; lo -= grain {
		body(lo, min(lo+grain, n))
	}
}

var forks atomic.Int64

func forked() { forks.Add(1) }

// Forks is how many loops have been shared among threads so far. It is there with the build tag invariants.
func Forks() int64 { return forks.Load() }
