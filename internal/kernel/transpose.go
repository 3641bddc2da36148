package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// Permute is out[j] = in[i] with the axes of in permuted: axis k of out, row-major, is axis perm[k] of in, of the given
// shape. Perm must be a permutation.
func Permute[T any](p *parallel.Pool, out, in []T, shape, perm []int) {
	n := size(shape)
	atLeast(n, len(out), len(in))
	outShape, strides := make([]int, len(perm)), make([]int, len(perm))
	st := Strides(shape)
	for k, a := range perm {
		outShape[k], strides[k] = shape[a], st[a]
	}
	copyWalk(p, out, in, newWalk(outShape, strides, Strides(outShape)))
}

// CopyStrided is out[outAt + Σ i*outStride] = in[inAt + Σ i*inStride] for all indices i of shape. Strides may be zero
// or negative in the input; those of the output must not make elements meet.
func CopyStrided[T any](p *parallel.Pool, out []T, outAt int, outStride []int, in []T, inAt int, inStride, shape []int) {
	span(outAt, outStride, shape, len(out))
	span(inAt, inStride, shape, len(in))
	w := newWalk(shape, inStride, outStride)
	w.run(p, func(_, n int, off [3]int) {
		copyRun(out, outAt+off[1], w.step[1], in, inAt+off[0], w.step[0], n)
	})
}

// span panics when a box of strided elements leaves 0..n-1.
func span(at int, strides, shape []int, n int) {
	lo, hi := at, at
	for i, s := range strides {
		switch d := (shape[i] - 1) * s; {
		case shape[i] == 0:
			return
		case d < 0:
			lo += d
		default:
			hi += d
		}
	}
	if lo < 0 || hi >= n {
		panic(errShort)
	}
}

func copyRun[T any](out []T, o, so int, in []T, i, si, n int) {
	switch {
	case so == 1 && si == 1:
		copy(out[o:o+n], in[i:i+n])
	case so == 1 && si == 0:
		fill(out[o:o+n], in[i])
	case so == 1:
		out := out[o : o+n]
		for k := range out {
			out[k] = in[i]
			i += si
		}
	default:
		for range n {
			out[o] = in[i]
			o, i = o+so, i+si
		}
	}
}

const transposeTile = 16

// copyWalk copies array 0 of w to array 1, which is row-major; where the rows of both differ, in square tiles.
func copyWalk[T any](p *parallel.Pool, out, in []T, w *walk) {
	k := -1 // the axis along which the input is contiguous
	for i, s := range w.strides {
		if s[0] == 1 {
			k = i
		}
	}
	if w.step[0] == 1 || k < 0 || w.rows == 0 || w.inner == 0 {
		w.run(p, func(o, n int, off [3]int) { copyRun(out, o, 1, in, off[0], w.step[0], n) })
		return
	}
	rows, so, si := w.dims[k], w.strides[k][1], w.step[0]
	cols := w.inner
	rest := &walk{rows: w.rows / rows, inner: 1}
	for i := range w.dims {
		if i != k {
			rest.dims = append(rest.dims, w.dims[i])
			rest.strides = append(rest.strides, w.strides[i])
		}
	}
	bands := (rows + transposeTile - 1) / transposeTile
	p.For(rest.rows*bands, max(1, elemChunk/(cols*transposeTile)), func(lo, hi int) {
		rest.each(lo/bands, (hi-1)/bands+1, func(m int, off [3]int) {
			for b := max(lo-m*bands, 0); b < min(hi-m*bands, bands); b++ {
				r0 := b * transposeTile
				transposeBand(out[off[1]+r0*so:], so, in[off[0]+r0:], si, min(rows-r0, transposeTile), cols)
			}
		})
	})
}

// transposeBand is out[r*so+c] = in[c*si+r] for r < rows <= transposeTile, c < cols.
func transposeBand[T any](out []T, so int, in []T, si, rows, cols int) {
	c := 0
	if rows == transposeTile {
		for ; c+4 <= cols; c += 4 {
			a := in[c*si:][:transposeTile]
			b := in[(c+1)*si:][:transposeTile]
			d := in[(c+2)*si:][:transposeTile]
			e := in[(c+3)*si:][:transposeTile]
			o := c
			for r := range a {
				q := out[o:][:4]
				q[0], q[1], q[2], q[3] = a[r], b[r], d[r], e[r]
				o += so
			}
		}
	}
	for ; c < cols; c++ {
		a, o := in[c*si:][:rows], c
		for _, v := range a {
			out[o] = v
			o += so
		}
	}
}

// Expand is out = in with numpy's broadcasting of in to outShape.
func Expand[T any](p *parallel.Pool, out []T, outShape []int, in []T, inShape []int) {
	atLeast(size(outShape), len(out))
	atLeast(size(inShape), len(in))
	copyWalk(p, out, in, newWalk(outShape, BroadcastStrides(outShape, inShape), Strides(outShape)))
}

// Tile is out = in repeated repeats[k] times along axis k of its shape.
func Tile[T any](p *parallel.Pool, out, in []T, shape, repeats []int) {
	var full, strides []int
	for k, s := range Strides(shape) {
		full = append(full, repeats[k], shape[k])
		strides = append(strides, 0, s)
	}
	atLeast(size(full), len(out))
	atLeast(size(shape), len(in))
	copyWalk(p, out, in, newWalk(full, strides, Strides(full)))
}

// CopyRows is out[i*outStride+j] = in[i*inStride+j] for i < rows, j < n: one operand of a concatenation, with out from where
// the operand starts and outStride the length of a row of the result, or one part of a split.
func CopyRows[T any](p *parallel.Pool, out []T, outStride int, in []T, inStride, rows, n int) {
	CopyStrided(p, out, 0, []int{outStride, 1}, in, 0, []int{inStride, 1}, []int{rows, n})
}

// sliceView is where the slice of an array of the given shape starts, and its strides.
func sliceView(shape, starts, steps []int) (at int, strides []int) {
	strides = Strides(shape)
	for i := range strides {
		at += starts[i] * strides[i]
		strides[i] *= steps[i]
	}
	return at, strides
}

// Slice is out[i] = in[starts + i*steps] for the indices i of outShape; starts and steps have a value for every axis, steps
// may be negative.
func Slice[T any](p *parallel.Pool, out []T, outShape []int, in []T, inShape, starts, steps []int) {
	at, st := sliceView(inShape, starts, steps)
	CopyStrided(p, out, 0, Strides(outShape), in, at, st, outShape)
}

// SliceSet is dst[starts + i*steps] = src[i] for the indices i of srcShape: the reverse of Slice.
func SliceSet[T any](p *parallel.Pool, dst []T, dstShape []int, src []T, srcShape, starts, steps []int) {
	at, st := sliceView(dstShape, starts, steps)
	CopyStrided(p, dst, at, st, src, 0, Strides(srcShape), srcShape)
}

// SliceAdd is dst[starts + i*steps] += src[i] for the indices i of srcShape: the gradient of Slice.
func SliceAdd[T Number](p *parallel.Pool, dst []T, dstShape []int, src []T, srcShape, starts, steps []int) {
	at, st := sliceView(dstShape, starts, steps)
	span(at, st, srcShape, len(dst))
	atLeast(size(srcShape), len(src))
	w := newWalk(srcShape, st)
	w.run(p, func(o, n int, off [3]int) {
		i := at + off[0]
		for _, v := range src[o : o+n] {
			dst[i] += v
			i += w.step[0]
		}
	})
}
