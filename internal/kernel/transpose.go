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
