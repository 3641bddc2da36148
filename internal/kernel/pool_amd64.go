//go:build !noasm

package kernel

import "unsafe"

//go:generate go -C _asm run ./pool -out ../pool_amd64.s -decl ../pool_stubs_amd64.go

// The assembly knows where the fields are.
var _ [104]struct{} = [unsafe.Offsetof(poolTaps{}.init)]struct{}{}

func init() {
	onISA(func(i ISA) {
		switch i {
		case AVX512:
			pooling = poolKernels{
				poolMaxRowsAVX512, poolAddRowsAVX512, poolArgRowsAVX512,
				[2]func(*poolTaps){poolMaxColumns1AVX512, poolMaxColumns2AVX512},
				[2]func(*poolTaps){poolAddColumns1AVX512, poolAddColumns2AVX512},
				[2]func(*poolTaps){poolArgColumns1AVX512, poolArgColumns2AVX512},
			}
		case AVX2:
			pooling = poolKernels{
				poolMaxRowsAVX2, poolAddRowsAVX2, poolArgRowsAVX2,
				[2]func(*poolTaps){poolMaxColumns1AVX2, poolMaxColumns2AVX2},
				[2]func(*poolTaps){poolAddColumns1AVX2, poolAddColumns2AVX2},
				[2]func(*poolTaps){poolArgColumns1AVX2, poolArgColumns2AVX2},
			}
		default:
			pooling = genericPooling
		}
	})
}
