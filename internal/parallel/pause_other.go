//go:build noasm || !(amd64 || arm64)

package parallel

// pause does nothing.
func pause() {}
