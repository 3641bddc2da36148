package kernel

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// softmaxBlock is the length of the pieces in which exponentials go through a buffer, and the number of columns
// that are done together when the axis is not the last one.
const softmaxBlock = 512

// Softmax is out[o,:,i] = e^(in[o,:,i]-m)/Σ e^(in[o,:,i]-m), m the maximum, for in [outer, n, inner]; with log its logarithm.
// Out may be in.
func Softmax[T Float](p *parallel.Pool, out, in []T, outer, n, inner int, log bool) {
	atLeast(outer*n*inner, len(out), len(in))
	if n == 0 || inner == 0 {
		return
	}
	l := loopsOf[T]()
	if inner == 1 {
		p.For(outer, max(1, elemChunk/n), func(lo, hi int) {
			var buf []T
			if log {
				buf = make([]T, min(n, softmaxBlock))
			}
			for r := lo; r < hi; r++ {
				x, y := in[r*n:(r+1)*n], out[r*n:(r+1)*n]
				m := l.largest(x)
				if log {
					s := 0.0
					for k := 0; k < n; k += len(buf) {
						b := x[k:min(k+len(buf), n)]
						s += l.expSum(buf[:len(b)], b, m)
					}
					l.affine(y, x, 1, -m)
					l.affine(y, y, 1, T(-math.Log(s)))
					continue
				}
				l.affine(y, y, T(1/l.expSum(y, x, m)), 0)
			}
		})
		return
	}
	width := min(inner, softmaxBlock)
	parts := (inner + width - 1) / width
	p.For(outer*parts, max(1, elemChunk/(n*width)), func(lo, hi int) {
		top, scale, buf := make([]T, width), make([]T, width), make([]T, width)
		acc := make([]float64, width)
		for k := lo; k < hi; k++ {
			c0 := k % parts * width
			c := min(width, inner-c0)
			top, scale, buf, acc := top[:c], scale[:c], buf[:c], acc[:c]
			at := func(j int) int { return (k/parts*n+j)*inner + c0 }
			copy(top, in[at(0):])
			for j := 1; j < n; j++ {
				l.max(top, top, in[at(j):at(j)+c])
			}
			clear(acc)
			for j := range n {
				y, e := out[at(j):at(j)+c], buf
				if !log {
					e = y
				}
				l.sub(y, in[at(j):at(j)+c], top)
				l.exp(e, y)
				l.accumulate(acc, e)
			}
			for i, s := range acc {
				if log {
					scale[i] = T(math.Log(s))
				} else {
					scale[i] = T(1 / s)
				}
			}
			f := l.mul
			if log {
				f = l.sub
			}
			for j := range n {
				y := out[at(j) : at(j)+c]
				f(y, y, scale)
			}
		}
	})
}

// SoftmaxGrad is the gradient of Softmax from its output y: dx = y*(dy - Σ dy*y), with log dx = dy - e^y*Σ dy; the sums are over
// the axis n of [outer, n, inner]. Dx may be dy.
func SoftmaxGrad[T Float](p *parallel.Pool, dx, y, dy []T, outer, n, inner int, log bool) {
	atLeast(outer*n*inner, len(dx), len(y), len(dy))
	if n == 0 || inner == 0 {
		return
	}
	l := loopsOf[T]()
	width := min(inner, softmaxBlock)
	parts := (inner + width - 1) / width
	p.For(outer*parts, max(1, elemChunk/(n*width)), func(lo, hi int) {
		acc := make([]float64, width)
		buf := make([]T, max(width, min(n, softmaxBlock)))
		for k := lo; k < hi; k++ {
			if inner == 1 {
				softmaxGradRow(l, dx[k*n:(k+1)*n], y[k*n:(k+1)*n], dy[k*n:(k+1)*n], buf, log)
				continue
			}
			c0 := k % parts * width
			c1 := min(c0+width, inner)
			acc := acc[:c1-c0]
			clear(acc)
			for j := range n {
				row := (k/parts*n + j) * inner
				d := dy[row+c0 : row+c1]
				if log {
					l.accumulate(acc, d)
					continue
				}
				for i, v := range y[row+c0 : row+c1] {
					acc[i] += float64(v) * float64(d[i])
				}
			}
			for j := range n {
				row := (k/parts*n + j) * inner
				o, d, v := dx[row+c0:row+c1], dy[row+c0:row+c1], y[row+c0:row+c1]
				if log {
					l.exp(buf[:len(o)], v)
					for i := range o {
						o[i] = d[i] - buf[i]*T(acc[i])
					}
					continue
				}
				for i := range o {
					o[i] = v[i] * (d[i] - T(acc[i]))
				}
			}
		}
	})
}

func softmaxGradRow[T Float](l *rowLoops[T], dx, y, dy, buf []T, log bool) {
	if !log {
		l.normGradRow(dx, dy, y, y, 1, T(-l.dot(y, dy)), 0)
		return
	}
	s := 0.0
	for _, v := range dy {
		s += float64(v)
	}
	for k := 0; k < len(y); k += len(buf) {
		e := buf[:min(len(buf), len(y)-k)]
		l.exp(e, y[k:k+len(e)])
		l.lin2(dx[k:k+len(e)], e, dy[k:k+len(e)], T(-s), 1, 0)
	}
}
