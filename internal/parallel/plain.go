//go:build !invariants

package parallel

// serial runs the loop on the calling goroutine.
func serial(n, grain int, body func(lo, hi int)) {
	for lo := 0; lo < n; lo += grain {
		body(lo, min(lo+grain, n))
	}
}

func forked() {}
