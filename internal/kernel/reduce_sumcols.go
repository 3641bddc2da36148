package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// maxFourRows is the most rows that sumFourRows adds up in float32: the error stays near that of a sum of 256.
const maxFourRows = 1024

// sumFourRows is Reduce by ReduceSum or ReduceMean of float32 over a few rows of kept columns, in float32 and in groups of four rows:
//
//	out[j] += ((in[i,j] + in[i+1,j]) + in[i+2,j]) + in[i+3,j]
//
// or row by row when there is only one sum of each column (no axis before the reduced ones). It is ONNX Runtime's order of additions, bit
// for bit: models that take a small difference of large sums, such as a variance by E[x²] - E[x]², give its numbers only in this order.
// Longer sums are accumulated in double precision.
func sumFourRows(p *parallel.Pool, out, in []float32, pl reducePlan, mean bool) {
	n := pl.red.rows
	const most = 512 // columns
	width := most
	for width > 64 && pl.outer.rows*((pl.cols+width-1)/width) < 64 {
		width /= 2
	}
	group := 4
	if pl.outer.rows == 1 {
		group = 1
	}
	perRow := (pl.cols + width - 1) / width
	p.For(pl.outer.rows*perRow, max(1, elemChunk/(n*min(pl.cols, width))), func(lo, hi int) {
		var buf [most]float32
		for k := lo; k < hi; k++ {
			o, c := k/perRow, k%perRow
			c0, c1 := c*width, min((c+1)*width, pl.cols)
			acc, g := out[o*pl.cols+c0:o*pl.cols+c1], buf[:c1-c0]
			clear(acc)
			base := 0
			pl.outer.each(o, o+1, func(_ int, off [3]int) { base = off[0] })
			pl.red.each(0, n, func(r int, at [3]int) {
				x := in[base+at[0]+c0 : base+at[0]+c1]
				if r%group == 0 {
					copy(g, x)
				} else {
					vec.add(g, g, x)
				}
				if r%group == group-1 || r == n-1 {
					vec.add(acc, acc, g)
				}
			})
			if mean {
				for i := range acc {
					acc[i] /= float32(n)
				}
			}
		}
	})
}
