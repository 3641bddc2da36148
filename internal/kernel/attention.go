package kernel

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Heads is a matrix [Rows,Cols] for each of a batch in the storage X: that of the i-th begins at At[i], its elements are Row apart from row
// to row and Col from column to column, and one of both is 1. Matrices may be the same for several of the batch.
type Heads[T Float] struct {
	X          []T
	At         []int
	Rows, Cols int
	Row, Col   int
}

// matrix is one matrix, or rows of it.
type matrix[T Float] struct {
	x                    []T
	rows, cols, row, col int
}

func (h *Heads[T]) at(i int) matrix[T] {
	return matrix[T]{h.X[min(h.At[i], len(h.X)):], h.Rows, h.Cols, h.Row, h.Col} // matrices without elements begin anywhere
}

func (m matrix[T]) t() matrix[T] { return matrix[T]{m.x, m.cols, m.rows, m.col, m.row} }

// part are rows lo to hi.
func (m matrix[T]) part(lo, hi int) matrix[T] {
	return matrix[T]{m.x[min(lo*m.row, len(m.x)):], hi - lo, m.cols, m.row, m.col}
}

// stored is the distance of what lies behind one another in m, and whether these are columns.
func (m matrix[T]) stored() (ld int, t bool) {
	switch {
	case m.col == 1 || m.cols == 1:
		return max(m.row, m.cols), false
	case m.row == 1 || m.rows == 1:
		return max(m.col, m.rows), true
	}
	panic("kernel: attention: a matrix with neither rows nor columns in one piece")
}

// multiply is c = alpha·a·b + beta·c.
func multiply[T Float](p *parallel.Pool, alpha T, a, b matrix[T], beta T, c matrix[T]) {
	ldc, t := c.stored()
	if t {
		a, b, c = b.t(), a.t(), c.t()
	}
	lda, ta := a.stored()
	ldb, tb := b.stored()
	switch x := any(c.x).(type) {
	case []float32:
		Sgemm(p, ta, tb, c.rows, c.cols, a.cols, float32(alpha), any(a.x).([]float32), lda, any(b.x).([]float32), ldb, float32(beta), x, ldc)
	case []float64:
		Dgemm(p, ta, tb, c.rows, c.cols, a.cols, float64(alpha), any(a.x).([]float64), lda, any(b.x).([]float64), ldb, float64(beta), x, ldc)
	}
}

// attentionBlock is the number of scores that are worked on at once: they stay in the second-level cache.
const attentionBlock = 1 << 16

// scoreRows is in how many rows of n scores a head of so many rows is worked on at once.
func scoreRows(rows, n int) int { return max(1, min(rows, max(16, attentionBlock/max(n, 1)))) }

// scores is memory for n scores, of any content; done gives it back.
func scores[T Float](n int) (x []T, done func()) {
	b := getBuffer(n)
	if x, ok := any(b.f).([]T); ok {
		return x, b.put
	}
	b.put()
	return make([]T, n), func() {}
}

// Attention is o = P·v for each of a batch, with P = softmax(alpha·q·k + mask) along the rows, for q [t,d], k [d,s], v [s,e], o [t,e] and
// mask [t,s], whose rows and columns may be 0 apart. With guard a row of P is 0 where its softmax is none, as of scores that are all -Inf.
// P [batch,t,s] is kept unless probs is nil; mask may be nil.
func Attention[T Float](p *parallel.Pool, o, q, k, v Heads[T], mask *Heads[T], probs []T, alpha T, guard bool) {
	t, s := q.Rows, k.Cols
	each(p, len(o.At), func(p *parallel.Pool, i int) {
		rows := scoreRows(t, s)
		var buf []T
		if probs == nil {
			b, done := scores[T](rows * s)
			defer done()
			buf = b
		}
		q, k, v, o := q.at(i), k.at(i), v.at(i), o.at(i)
		for lo := 0; lo < t; lo += rows {
			hi := min(lo+rows, t)
			x := buf
			if probs != nil {
				x = probs[(i*t+lo)*s:]
			}
			x = x[:(hi-lo)*s]
			part := matrix[T]{x, hi - lo, s, s, 1}
			multiply(p, alpha, q.part(lo, hi), k, 0, part)
			if mask != nil {
				addMask(x, mask.at(i).part(lo, hi))
			}
			Softmax(p, x, x, hi-lo, s, 1, false)
			if guard {
				clearNaN(x, s)
			}
			multiply(p, 1, part, v, 0, o.part(lo, hi))
		}
	})
}

// AttentionGrad is the gradient of Attention by q, k and v, any of which may be nil, from P and that by o, dO. More than one of the batch
// may share a matrix of which a gradient is wanted: then shared must be set.
func AttentionGrad[T Float](p *parallel.Pool, dq, dk, dv *Heads[T], q, k, v, do Heads[T], probs []T, alpha T, shared bool) {
	t, s := q.Rows, k.Cols
	run := each
	if shared {
		run = func(p *parallel.Pool, n int, f func(*parallel.Pool, int)) {
			for i := range n {
				f(p, i)
			}
		}
	}
	if shared || t == 0 {
		for _, d := range []*Heads[T]{dq, dk, dv} {
			if d != nil {
				clear(d.X)
			}
		}
	}
	run(p, len(do.At), func(p *parallel.Pool, i int) {
		rows := scoreRows(t, s)
		buf, done := scores[T](rows * s)
		defer done()
		first := T(0) // what becomes of the old content of a gradient
		if shared {
			first = 1
		}
		q, k, v, do := q.at(i), k.at(i), v.at(i), do.at(i)
		for lo := 0; lo < t; lo += rows {
			hi := min(lo+rows, t)
			beta := first
			if lo > 0 {
				beta = 1
			}
			y, x := probs[(i*t+lo)*s:][:(hi-lo)*s], buf[:(hi-lo)*s]
			py, px := matrix[T]{y, hi - lo, s, s, 1}, matrix[T]{x, hi - lo, s, s, 1}
			g := do.part(lo, hi)
			if dv != nil {
				multiply(p, 1, py.t(), g, beta, dv.at(i))
			}
			if dq == nil && dk == nil {
				continue
			}
			multiply(p, 1, g, v.t(), 0, px)
			SoftmaxGrad(p, x, y, x, hi-lo, s, 1, false)
			if dq != nil {
				multiply(p, alpha, px, k.t(), first, dq.at(i).part(lo, hi))
			}
			if dk != nil {
				multiply(p, alpha, q.part(lo, hi).t(), px, beta, dk.at(i))
			}
		}
	})
}

// each calls f for each of n, in parallel with one thread each where there are several.
func each(p *parallel.Pool, n int, f func(p *parallel.Pool, i int)) {
	if n == 1 {
		f(p, 0)
		return
	}
	p.For(n, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			f(nil, i)
		}
	})
}

// addMask adds m to x, of its extents and in one piece.
func addMask[T Float](x []T, m matrix[T]) {
	add := AddOp[T]()
	for r := range m.rows {
		y, from := x[r*m.cols:(r+1)*m.cols], m.x[r*m.row:]
		if m.col == 1 {
			add.VV(y, y, from[:m.cols])
		} else if m.cols > 0 {
			add.VS(y, y, from[0])
		}
	}
}

// clearNaN sets the rows of x, of n numbers each, to 0 that are not numbers.
func clearNaN[T Float](x []T, n int) {
	for r := 0; r < len(x); r += n {
		if math.IsNaN(float64(x[r])) {
			clear(x[r : r+n])
		}
	}
}
