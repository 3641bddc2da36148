//go:build !noasm

package kernel

func init() {
	onISA(func(i ISA) {
		packTaps, packColumns, packRows = packTapsGeneric, packColumnsGeneric, packRowsGeneric
		takeEven, putEven = takeEvenGeneric, putEvenGeneric
		dotRows, tapRows, tapDots = dotRowsGeneric, tapRowsGeneric, tapDotsGeneric
		switch i {
		case AVX512:
			packTaps, packColumns, packRows = packTapsAVX512, packColumnsAVX512, packRowsAVX512
			takeEven, putEven = takeEvenAVX512, putEvenAVX512
			dotRows, tapRows = dotRowsAVX512, tapRows512
			tapDots = func(a *rowTaps) { tapDots512[a.taps-1](a) }
		case AVX2:
			dotRows, tapRows = dotRowsAVX2, tapRows2
			tapDots = func(a *rowTaps) { tapDots2[a.taps-1](a) }
		}
	})
}

func packTapsAVX512(dst []float32, width int, src []float32, koff []int, mv []move) {
	if len(koff) == 0 || len(mv) == 0 {
		return
	}
	_ = dst[:len(koff)*width]
	packTaps512(&dst[0], width, &src[0], &koff[0], len(koff), &mv[0], len(mv))
}

func packColumnsAVX512(dst []float32, width int, src []float32, ld, rows, k int) {
	if k == 0 || width == 0 {
		return
	}
	_, _ = dst[:(k-1)*width+width], src[:(rows-1)*ld+k]
	packColumns512(&dst[0], width, &src[0], ld, rows, k)
}

func packRowsAVX512(dst []float32, width int, src []float32, ld, cols, k int) {
	if k == 0 || width == 0 {
		return
	}
	_, _ = dst[:k*width], src[:(k-1)*ld+cols]
	packRows512(&dst[0], width, &src[0], ld, cols, k)
}

func takeEvenAVX512(dst, src []float32) {
	if len(dst) > 0 {
		_ = src[2*len(dst)-2]
		takeEven512(&dst[0], &src[0], len(dst))
	}
}

func putEvenAVX512(dst, src []float32) {
	if len(src) > 0 {
		_ = dst[2*len(src)-2]
		putEven512(&dst[0], &src[0], len(src))
	}
}

func dotRowsAVX512(k int, x, mat []float32, ld int, out []float32) {
	_, _ = x[:k], mat[:(len(out)-1)*ld+k]
	dotRows512(k, &x[0], &mat[0], ld, len(out), &out[0])
}

func dotRowsAVX2(k int, x, mat []float32, ld int, out []float32) {
	_, _ = x[:k], mat[:(len(out)-1)*ld+k]
	dotRows2(k, &x[0], &mat[0], ld, len(out), &out[0])
}
