//go:build !linux

package memory

// Free is not known on this system.
func Free() (bytes int64, ok bool) { return 0, false }

func room() (bytes int64, ok bool) { return 0, false }
