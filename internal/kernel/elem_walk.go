package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// walk visits the elements of a box row by row, in row-major order, and knows for up to three arrays where
// a row starts. Axes that lie together in memory in all arrays are merged.
type walk struct {
	dims    []int    // outer axes
	strides [][3]int // of the outer axes
	rows    int      // product of dims
	inner   int      // length of a row
	step    [3]int   // strides along a row
}

// newWalk plans the walk over shape for arrays with the given strides in elements.
func newWalk(shape []int, strides ...[]int) *walk {
	w := &walk{rows: 1, inner: 1}
	for i, n := range shape {
		if n == 1 {
			continue
		}
		var s [3]int
		for j := range strides {
			s[j] = strides[j][i]
		}
		if k := len(w.dims) - 1; k >= 0 && mergeable(w.strides[k], s, n) {
			w.dims[k] *= n
			w.strides[k] = s
			continue
		}
		w.dims = append(w.dims, n)
		w.strides = append(w.strides, s)
	}
	if k := len(w.dims) - 1; k >= 0 {
		w.inner, w.step = w.dims[k], w.strides[k]
		w.dims, w.strides = w.dims[:k], w.strides[:k]
	}
	for _, n := range w.dims {
		w.rows *= n
	}
	return w
}

func mergeable(outer, inner [3]int, n int) bool {
	for j := range outer {
		if outer[j] != inner[j]*n {
			return false
		}
	}
	return true
}

// each calls f with the number of each row in lo..hi-1 and the offsets of its first element.
func (w *walk) each(lo, hi int, f func(row int, off [3]int)) {
	idx := make([]int, len(w.dims))
	var off [3]int
	for i, r := len(w.dims)-1, lo; i >= 0; i-- {
		idx[i] = r % w.dims[i]
		r /= w.dims[i]
		for j := range off {
			off[j] += idx[i] * w.strides[i][j]
		}
	}
	for row := lo; row < hi; row++ {
		f(row, off)
		for i := len(idx) - 1; i >= 0; i-- {
			idx[i]++
			for j := range off {
				off[j] += w.strides[i][j]
			}
			if idx[i] < w.dims[i] {
				break
			}
			for j := range off {
				off[j] -= w.strides[i][j] * w.dims[i]
			}
			idx[i] = 0
		}
	}
}

// run calls f for all pieces of rows: out is the offset in the row-major box, n the length of the piece.
func (w *walk) run(p *parallel.Pool, f func(out, n int, off [3]int)) {
	if w.inner == 0 || w.rows == 0 {
		return
	}
	if w.rows == 1 {
		p.For(w.inner, elemChunk, func(lo, hi int) {
			f(lo, hi-lo, [3]int{lo * w.step[0], lo * w.step[1], lo * w.step[2]})
		})
		return
	}
	p.For(w.rows, max(1, elemChunk/w.inner), func(lo, hi int) {
		w.each(lo, hi, func(row int, off [3]int) { f(row*w.inner, w.inner, off) })
	})
}

// Strides are the row-major strides of shape in elements.
func Strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// BroadcastStrides are the strides that read an array of shape in as one of shape out: in is aligned at the
// last axis, and axes of size 1 repeat. The shapes must fit.
func BroadcastStrides(out, in []int) []int {
	s := make([]int, len(out))
	if len(in) > len(out) {
		in = in[len(in)-len(out):]
	}
	n, d := 1, len(out)-len(in)
	for i := len(in) - 1; i >= 0; i-- {
		if in[i] != 1 {
			s[d+i] = n
		}
		n *= in[i]
	}
	return s
}

// size is the product of shape.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
