//go:build !noasm

package kernel

import "unsafe"

//go:generate go -C _asm run ./bytes -out ../bytes_amd64.s -stubs ../bytes_stubs_amd64.go -pkg kernel

func init() {
	onISA(func(i ISA) {
		if i != AVX2 && i != AVX512 {
			pairBytes, widenBytes, requantizeBytes, quantizeBytes, dequantizeBytes, addBytes = nil, nil, nil, nil, nil, nil
			return
		}
		pairBytes = func(dst []uint32, lo, hi []byte, p *bytesParams) {
			pairBytesAVX2(&dst[0], &lo[0], &hi[0], len(dst), (*byte)(unsafe.Pointer(p)))
		}
		widenBytes = func(dst []int16, x []byte, p *bytesParams) {
			widenBytesAVX2(&dst[0], &x[0], len(dst), (*byte)(unsafe.Pointer(p)))
		}
		requantizeBytes = func(dst []byte, x []int32, p *bytesParams) {
			requantizeAVX2(&dst[0], &x[0], len(dst), (*byte)(unsafe.Pointer(p)))
		}
		quantizeBytes = func(dst []byte, x []float32, p *bytesParams) {
			quantizeAVX2(&dst[0], &x[0], len(dst), (*byte)(unsafe.Pointer(p)))
		}
		dequantizeBytes = func(dst []float32, x []byte, p *bytesParams) {
			dequantizeAVX2(&dst[0], &x[0], len(dst), (*byte)(unsafe.Pointer(p)))
		}
		addBytes = func(dst, a, b []byte, p *bytesParams) {
			addBytesAVX2(&dst[0], &a[0], &b[0], len(dst), (*byte)(unsafe.Pointer(p)))
		}
	})
}
