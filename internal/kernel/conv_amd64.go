//go:build !noasm

package kernel

//go:generate go -C _asm run ./conv -out ../conv_amd64.s -decl ../conv_stubs_amd64.go

func init() {
	onISA(func(i ISA) {
		packTaps, packColumns, packRows = packTapsGeneric, packColumnsGeneric, packRowsGeneric
		padRows, putEven = padRowsGeneric, putEvenGeneric
		dotRows, tapRows, tapDots = dotRowsGeneric, tapRowsGeneric, tapDotsGeneric
		dotTiles = nil
		switch i {
		case AVX512:
			dotTiles = &dotTiles512
			packTaps, packColumns, packRows = packTapsAVX512, packColumnsAVX512, packRowsAVX512
			padRows, putEven = padRowsAVX512, putEvenAVX512
			dotRows, tapRows = dotRowsAVX512, tapRows512
			tapDots = func(a *rowTaps) { tapDots512[a.taps-1](a) }
		case AVX2:
			packColumns = packColumnsAVX2
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

func packColumnsAVX2(dst []float32, width int, src []float32, ld, rows, k int) {
	if k == 0 || width == 0 {
		return
	}
	_, _ = dst[:(k-1)*width+width], src[:(rows-1)*ld+k]
	packColumns2(&dst[0], width, &src[0], ld, rows, k)
}

func packRowsAVX512(dst []float32, width int, src []float32, ld, cols, k int) {
	if k == 0 || width == 0 {
		return
	}
	_, _ = dst[:k*width], src[:(k-1)*ld+cols]
	packRows512(&dst[0], width, &src[0], ld, cols, k)
}

func padRowsAVX512(dst []float32, width, rows int, src []float32, srcRow, first, n, step int) {
	if step > 2 || n <= 0 || rows <= 0 {
		padRowsGeneric(dst, width, rows, src, srcRow, first, n, step)
		return
	}
	_, _ = dst[:width*rows], src[:(rows-1)*srcRow+(n-1)*step+1]
	if step == 1 {
		padRows512s1(&dst[0], width, rows, &src[0], srcRow, first, n)
	} else {
		padRows512s2(&dst[0], width, rows, &src[0], srcRow, first, n)
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
