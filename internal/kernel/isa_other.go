//go:build noasm || !(amd64 || arm64)

package kernel

func detectISAs() []ISA { return nil }
