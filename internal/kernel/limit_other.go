//go:build noasm || !amd64

package kernel

func fmaLoop(ISA) (loop func(n int, one *float32), flops int) { return nil, 0 }
