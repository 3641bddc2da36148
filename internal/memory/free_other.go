//go:build !linux

package memory

// Free is not known on this system.
func Free() (bytes int64, ok bool) { return 0, false }

func machine() (bytes int64, ok bool) { return 0, false }

func room() (all, piece int64, ok bool) { return 0, 0, false }

// Total is not known on this system.
func Total() int64 { return 0 }

// Limit is not known on this system.
func Limit() int64 { return 0 }
