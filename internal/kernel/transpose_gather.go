package kernel

import (
	"sync/atomic"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Index lists the types of indices in ONNX.
type Index interface{ ~int32 | ~int64 }

// checkIndex is the position of the first index outside -n..n-1, or -1.
func checkIndex[I Index](idx []I, n int) int {
	for j, i := range idx {
		if int64(i) < -int64(n) || int64(i) >= int64(n) {
			return j
		}
	}
	return -1
}

// Gather is out[o,j,:] = in[o,idx[j],:] for in [outer, n, inner] and out [outer, len(idx), inner]; a negative index counts
// from the end. It returns the position of the first index out of range, having done nothing, or -1.
func Gather[T any, I Index](p *parallel.Pool, out, in []T, idx []I, outer, n, inner int) (bad int) {
	if bad := checkIndex(idx, n); bad >= 0 {
		return bad
	}
	atLeast(outer*n*inner, len(in))
	atLeast(outer*len(idx)*inner, len(out))
	p.For(outer*len(idx), max(1, elemChunk/max(inner, 1)), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			i := int(idx[k%len(idx)])
			if i < 0 {
				i += n
			}
			from := (k/len(idx)*n + i) * inner
			if inner == 1 {
				out[k] = in[from]
				continue
			}
			copy(out[k*inner:(k+1)*inner], in[from:from+inner])
		}
	})
	return -1
}

// ScatterAdd is dst[o,idx[j],:] += src[o,j,:] for dst [outer, n, inner] and src [outer, len(idx), inner]: the gradient of
// Gather. It returns the position of the first index out of range, having done nothing, or -1.
func ScatterAdd[T Number, I Index](p *parallel.Pool, dst, src []T, idx []I, outer, n, inner int) (bad int) {
	if bad := checkIndex(idx, n); bad >= 0 {
		return bad
	}
	atLeast(outer*n*inner, len(dst))
	atLeast(outer*len(idx)*inner, len(src))
	if len(idx) == 0 || inner == 0 {
		return -1
	}
	// Indices may repeat, so the work is split along outer and inner only.
	const width = 128
	parts := (inner + width - 1) / width
	p.For(outer*parts, max(1, elemChunk/(len(idx)*min(inner, width))), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			o, c0 := k/parts, k%parts*width
			c1 := min(c0+width, inner)
			for j, i := range idx {
				i := int(i)
				if i < 0 {
					i += n
				}
				d := dst[(o*n+i)*inner+c0 : (o*n+i)*inner+c1]
				for c, v := range src[(o*len(idx)+j)*inner+c0 : (o*len(idx)+j)*inner+c1] {
					d[c] += v
				}
			}
		}
	})
	return -1
}

// GatherElements is out[i] = in[i with the coordinate of axis replaced by idx[i]]: in [outer, n, inner] read at idx
// [outer, m, inner], as ONNX has it when the other axes agree. It returns the position of an index out of
// range, or -1.
func GatherElements[T any, I Index](p *parallel.Pool, out, in []T, idx []I, outer, n, m, inner int) (bad int) {
	atLeast(outer*n*inner, len(in))
	atLeast(outer*m*inner, len(out), len(idx))
	var wrong atomic.Int64
	p.For(outer*m*inner, elemChunk, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			i := int(idx[k])
			if i < 0 {
				i += n
			}
			if i < 0 || i >= n {
				wrong.Store(int64(k + 1))
				continue
			}
			out[k] = in[(k/(m*inner)*n+i)*inner+k%inner]
		}
	})
	return int(wrong.Load()) - 1
}

// ScatterElementsAdd is dst[o,idx[o,j,c],c] += src[o,j,c] for dst [outer, n, inner], idx and src [outer, m, inner]: the
// gradient of GatherElements. It returns the position of the first index out of range, having done nothing, or -1.
func ScatterElementsAdd[T Number, I Index](p *parallel.Pool, dst, src []T, idx []I, outer, n, m, inner int) (bad int) {
	idx = idx[:outer*m*inner]
	if bad := checkIndex(idx, n); bad >= 0 {
		return bad
	}
	atLeast(outer*n*inner, len(dst))
	atLeast(len(idx), len(src))
	p.For(outer, max(1, elemChunk/max(m*inner, 1)), func(lo, hi int) {
		for k := lo * m * inner; k < hi*m*inner; k++ {
			i := int(idx[k])
			if i < 0 {
				i += n
			}
			dst[(k/(m*inner)*n+i)*inner+k%inner] += src[k]
		}
	})
	return -1
}
