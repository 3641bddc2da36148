//go:build !noasm

package kernel

//go:generate go -C _asm run ./limit -out ../limit_amd64.s -stubs ../limit_stubs_amd64.go -pkg kernel

// fmaLoop is the loop of multiply-adds of an instruction set and the operations of one round of it; nil where there is none.
func fmaLoop(i ISA) (loop func(n int, one *float32), flops int) {
	switch i {
	case AVX512:
		return fma512, 2 * 24 * 16
	case AVX2:
		return fma2, 2 * 12 * 8
	}
	return nil, 0
}
