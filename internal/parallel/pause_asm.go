//go:build !noasm && (amd64 || arm64)

package parallel

// pause tells the processor that this thread is waiting, so that one that shares its core goes ahead.
func pause()
