package kernel

import "unsafe"

// poolTaps is the argument of the kernels of pooling; offsets and distances of rows in bytes. With f the maximum that passes NaN over or
// the sum, the rows of a window are folded by
//
//	for r := range rows { for j := range n { dst[r*dstRow+j] = f(init, src[r*srcRow+off[t]+j] over t < taps) } }
//
// which also writes init behind n as far as the last vector reaches, and its columns, with a stride of 1 or 2, by
//
//	for r := range rows { for j := range n { dst[r*dstRow+j] = f(init, src[r*srcRow+off[t]+stride*j] over t < taps) } }
//
// which may write anything behind n as far as the last vector reaches, in all rows but the last exact ones. Where the place of the maximum
// is asked, the rows make argDst, of the same form as dst, num[t] + first + r*srcRow/4 + j of the first t that has the largest element, or
// at least poolNone if nothing is larger than -Inf; and the columns, of equal maxima, find the smallest place in arg. rows, n and taps are
// positive.
type poolTaps struct {
	rows, n, exact int
	src            unsafe.Pointer
	srcRow         int
	dst            unsafe.Pointer
	dstRow         int
	taps           int
	off            unsafe.Pointer // []int
	num            unsafe.Pointer // []int32
	arg, argDst    unsafe.Pointer // of int32
	first          int
	init           float32
}

// poolNone is larger than any place in a plane.
const poolNone = 1 << 30

// poolKernels are the kernels of one instruction set; columns by stride-1.
type poolKernels struct {
	maxRows, addRows, argRows          func(*poolTaps)
	maxColumns, addColumns, argColumns [2]func(*poolTaps)
}

var pooling = genericPooling

var genericPooling = poolKernels{
	foldTaps(poolMax, 1), foldTaps(poolSum, 1), argRowsGeneric,
	[2]func(*poolTaps){foldTaps(poolMax, 1), foldTaps(poolMax, 2)},
	[2]func(*poolTaps){foldTaps(poolSum, 1), foldTaps(poolSum, 2)},
	[2]func(*poolTaps){argColumnsGeneric(1), argColumnsGeneric(2)},
}

func poolMax(a, b float32) float32 {
	if b > a {
		return b
	}
	return a
}

func poolSum(a, b float32) float32 { return a + b }

func intAt(p unsafe.Pointer, off int) *int32 { return (*int32)(unsafe.Add(p, off)) }

func (a *poolTaps) offset(t int) int { return *(*int)(unsafe.Add(a.off, 8*t)) }

func foldTaps(f func(a, b float32) float32, stride int) func(*poolTaps) {
	return func(a *poolTaps) {
		for r := range a.rows {
			dst := unsafe.Slice(floatAt(a.dst, r*a.dstRow), a.n)
			fill(dst, a.init)
			for t := range a.taps {
				src := unsafe.Slice(floatAt(a.src, r*a.srcRow+a.offset(t)), (a.n-1)*stride+1)
				for j := range dst {
					dst[j] = f(dst[j], src[j*stride])
				}
			}
		}
	}
}

func argRowsGeneric(a *poolTaps) {
	for r := range a.rows {
		for j := range a.n {
			best, arg := a.init, int32(poolNone)
			for t := range a.taps {
				if v := *floatAt(a.src, r*a.srcRow+a.offset(t)+4*j); v > best {
					best, arg = v, *intAt(a.num, 4*t)+int32(a.first+r*a.srcRow/4+j)
				}
			}
			*floatAt(a.dst, r*a.dstRow+4*j), *intAt(a.argDst, r*a.dstRow+4*j) = best, arg
		}
	}
}

func argColumnsGeneric(stride int) func(*poolTaps) {
	return func(a *poolTaps) {
		for r := range a.rows {
			for j := range a.n {
				best, arg := a.init, int32(poolNone)
				for t := range a.taps {
					at := r*a.srcRow + a.offset(t) + 4*stride*j
					v, i := *floatAt(a.src, at), *intAt(a.arg, at)
					if v > best || v == best && i < arg {
						best, arg = v, i
					}
				}
				*floatAt(a.dst, r*a.dstRow+4*j), *intAt(a.argDst, r*a.dstRow+4*j) = best, arg
			}
		}
	}
}
