package gbnn

import (
	"math"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// base is the least-squares problem of a base network on the rows that were drawn.
type base struct {
	n, f, j, k int
	alpha      float64
	x          []float64 // [n,f], standardised
	r          []float64 // [n,k]
	part       []float64 // of each chunk: its gradient, then its loss
	grain      int
	pool       *parallel.Pool
	grant      *memory.Grant
}

// len is the number of parameters: V [J,F], C [J], W [K,J], D [K].
func (b *base) len() int { return b.j*b.f + b.j + b.k*b.j + b.k }

func (b *base) parts(t []float64) (v, c, w, d []float64) {
	v, t = t[:b.j*b.f], t[b.j*b.f:]
	c, t = t[:b.j], t[b.j:]
	return v, c, t[:b.k*b.j], t[b.k*b.j:]
}

// take copies the rows out of x and r.
func (b *base) take(x *Features, r []float64, rows []int) (err error) {
	b.grain = max(64, (b.n+31)/32)
	chunks := (b.n + b.grain - 1) / b.grain
	size := b.n*(b.f+b.k) + chunks*(b.len()+1)
	if b.grant, err = memory.Take(8*int64(size), "the rows of a base network"); err != nil {
		return err
	}
	b.x, b.r, b.part = make([]float64, b.n*b.f), make([]float64, b.n*b.k), make([]float64, chunks*(b.len()+1))
	b.pool.For(b.n, 256, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out := b.x[i*b.f : (i+1)*b.f]
			for j, v := range x.row(rows[i]) {
				out[j] = (float64(v) - x.Mean[j]) * x.Inv[j]
			}
			copy(b.r[i*b.k:(i+1)*b.k], r[rows[i]*b.k:])
		}
	})
	return nil
}

// begin draws the parameters: weights and biases of a layer from ±√(2/(inputs+outputs)).
func (b *base) begin(t []float64, r *rand.Rand) {
	v, c, w, d := b.parts(t)
	fill := func(x []float64, in, out int) {
		bound := math.Sqrt(2 / float64(in+out))
		for i := range x {
			x[i] = (2*r.Float64() - 1) * bound
		}
	}
	fill(v, b.f, b.j)
	fill(c, b.f, b.j)
	fill(w, b.j, b.k)
	fill(d, b.j, b.k)
}

// eval is the objective, and sets g to its gradient. Sums are taken over chunks of rows, then over the chunks in their order, so that the
// number of threads makes no difference.
func (b *base) eval(t, g []float64) float64 {
	v, c, w, d := b.parts(t)
	size := len(t) + 1
	b.pool.For(b.n, b.grain, func(lo, hi int) {
		part := b.part[lo/b.grain*size:][:size]
		clear(part)
		gv, gc, gw, gd := b.parts(part[:size-1])
		h, e := make([]float64, b.j), make([]float64, b.k)
		for i := lo; i < hi; i++ {
			x := b.x[i*b.f : (i+1)*b.f]
			for j := range h {
				h[j] = sigmoid(c[j] + dot(v[j*b.f:(j+1)*b.f], x))
			}
			for o := range e {
				e[o] = d[o] + dot(w[o*b.j:(o+1)*b.j], h) - b.r[i*b.k+o]
				part[size-1] += e[o] * e[o]
				gd[o] += e[o]
			}
			for j, a := range h {
				back := 0.0
				for o, s := range e {
					gw[o*b.j+j] += s * a
					back += s * w[o*b.j+j]
				}
				back *= a * (1 - a)
				gc[j] += back
				row := gv[j*b.f : (j+1)*b.f]
				for q, u := range x {
					row[q] += back * u
				}
			}
		}
	})
	clear(g)
	loss := 0.0
	for at := 0; at < len(b.part); at += size {
		for i, u := range b.part[at : at+size-1] {
			g[i] += u
		}
		loss += b.part[at+size-1]
	}
	scale, ridge, square := 1/float64(b.n*b.k), b.alpha/float64(b.n), 0.0
	for i := range g {
		g[i] *= scale
	}
	gv, _, gw, _ := b.parts(g)
	for i, u := range v {
		gv[i] += ridge * u
		square += u * u
	}
	for i, u := range w {
		gw[i] += ridge * u
		square += u * u
	}
	return scale*loss/2 + ridge*square/2
}
