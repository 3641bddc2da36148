package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// maxPoolBytes is MaxPool without places for numbers of 8 bits: the rows that a row of the output sees are folded into one, and then its
// columns.
func maxPoolBytes[T int8 | uint8](p *parallel.Pool, out, in []T, w *poolRows) {
	if w.ow == 0 || w.rows == 0 {
		return
	}
	low := lowest[T]()
	p.For(w.q.Planes*w.rows, max(1, elemChunk/(w.ow*min(w.taps, 64))), func(lo, hi int) {
		var rows []int
		line := make([]T, w.iw)
		for k := lo; k < hi; k++ {
			rows, _ = w.see(k%w.rows, rows[:0])
			y := out[k*w.ow:][:w.ow]
			if len(rows) == 0 {
				for o := range y {
					y[o] = low
				}
				continue
			}
			plane := in[k/w.rows*w.in:]
			copy(line, plane[rows[0]:][:w.iw])
			for _, row := range rows[1:] {
				for i, v := range plane[row:][:w.iw] {
					line[i] = max(line[i], v)
				}
			}
			for o := range y {
				at := o*w.sw - w.pw
				if w.dw == 1 && w.kw == 3 && at >= 0 && at+3 <= w.iw {
					y[o] = max(line[at], line[at+1], line[at+2])
					continue
				}
				t0, t1, _ := w.cols(o)
				best := low
				for t := t0; t < t1; t++ {
					best = max(best, line[at+t*w.dw])
				}
				y[o] = best
			}
		}
	})
}
