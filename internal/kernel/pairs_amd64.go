//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

var (
	pairsAVX2   = tileKernels{lanes: 8, shapes: pairsTiles2, taps: pairsTaps2, mr: 6, nv: 2}
	pairsAVX512 = tileKernels{lanes: 16, shapes: pairsTiles512, taps: pairsTaps512, mr: 14, nv: 2, masked: true}
)

func init() {
	onISA(func(i ISA) {
		switch {
		case i == AVX512 && cpu.X86.HasAVX512VNNI: // the sum of two products is one instruction there
			pairTiles = &pairsAVX512
		case i == AVX512, i == AVX2:
			pairTiles = &pairsAVX2
		default:
			pairTiles = &pairsGeneric
		}
	})
}
