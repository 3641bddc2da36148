//go:build !noasm

package kernel

//go:generate go -C _asm run ./gemm -out ../gemm_amd64.s -decl ../gemm_stubs_amd64.go
//go:generate go -C _asm run ./gemm -pairs -out ../pairs_amd64.s -decl ../pairs_stubs_amd64.go

var (
	tileAVX2   = tileKernels{lanes: 8, shapes: gemmTiles2, taps: gemmTaps2, packed: gemmPack2, mr: 6, nv: 2, dots: true}
	tileAVX512 = tileKernels{lanes: 16, shapes: gemmTiles512, taps: gemmTaps512, packed: gemmPack512, mr: 14, nv: 2, masked: true, dots: true,
		from: true}
)

func init() {
	onISA(func(i ISA) {
		switch i {
		case AVX512:
			tiles = &tileAVX512
		case AVX2:
			tiles = &tileAVX2
		default:
			tiles = &tileGeneric
		}
	})
}
