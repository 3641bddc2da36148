//go:build !noasm

package kernel

//go:generate go -C _asm run ./wino -out ../wino_amd64.s -decl ../wino_stubs_amd64.go

var (
	winoAVX2   = winoKernels{winoIn2, winoOut2, winoGrad2, winoWeights2, winoBack2, winoWeights2Rows, winoBack2Rows, winoPut2}
	winoAVX512 = winoKernels{winoIn512, winoOut512, winoGrad512, winoWeights512, winoBack512, winoWeights512Rows, winoBack512Rows, winoPut512}
)

func init() {
	onISA(func(i ISA) {
		switch i {
		case AVX512:
			wino = &winoAVX512
		case AVX2:
			wino = &winoAVX2
		default:
			wino = nil
		}
	})
}
