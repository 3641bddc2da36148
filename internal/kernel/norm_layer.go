package kernel

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// moments is the mean of x and 1/√(variance+eps), the variance being that of the population; with rms the mean is 0
// and the variance the mean square.
func moments[T Float](l *rowLoops[T], x []T, eps float64, rms bool) (mean, inv float64) {
	s, q := l.sumDot(x, x)
	m := float64(len(x))
	if rms {
		return 0, 1 / math.Sqrt(q/m+eps)
	}
	mean = s / m
	return mean, 1 / math.Sqrt(atLeastZero(q/m-mean*mean)+eps)
}

func orFill[T Float](v []T, n int, x T) []T {
	if v == nil {
		v = make([]T, n)
		fill(v, x)
	}
	atLeast(n, len(v))
	return v
}

// LayerNorm is y[r,:] = (x[r,:]-mean[r])*inv[r]*w + b for x [rows, n], with mean[r] of the row and inv[r] = 1/√(its variance+eps).
// With rms the mean is 0 and the variance the mean square. W and b may be nil, for 1 and 0, and mean and inv, when they
// are not wanted. Y may be x.
func LayerNorm[T Float](p *parallel.Pool, y, mean, inv, x, w, b []T, rows, n int, eps float64, rms bool) {
	atLeast(rows*n, len(y), len(x))
	w, b = orFill(w, n, 1), orFill(b, n, 0)
	l := loopsOf[T]()
	channelRows(p, rows, n, func(r int) {
		x := x[r*n : (r+1)*n]
		mu, i := moments(l, x, eps, rms)
		if mean != nil {
			mean[r] = T(mu)
		}
		if inv != nil {
			inv[r] = T(i)
		}
		l.normRow(y[r*n:(r+1)*n], x, w, b, T(i), T(-mu*i))
	})
}

// LayerNormGrad is the gradient of LayerNorm by x, w and b, any of which may be nil:
//
//	dw = Σ_r dy[r,:]*x̂[r,:],  db = Σ_r dy[r,:],  x̂ = (x-mean)*inv,  g = dy*w
//	dx[r,:] = inv[r]*(g - avg(g) - x̂*avg(g*x̂))       // avg over the row; with rms without avg(g)
//
// W may be nil for 1, mean for 0. Dx may be dy.
func LayerNormGrad[T Float](p *parallel.Pool, dx, dw, db, x, dy, w, mean, inv []T, rows, n int, rms bool) {
	atLeast(rows*n, len(x), len(dy))
	atLeast(rows, len(inv))
	w, mean = orFill(w, n, 1), orFill(mean, rows, 0)
	l := loopsOf[T]()
	// Parameters first: dx may overwrite dy.
	if dw != nil || db != nil {
		per := min(256, max(1, elemChunk/max(n, 1)))
		parts := (rows + per - 1) / per
		part := make([]T, parts*2*n)
		p.For(rows, per, func(lo, hi int) {
			at := lo / per * 2 * n
			pw, pb := part[at:at+n], part[at+n:at+2*n]
			for r := lo; r < hi; r++ {
				l.normParam(pw, pb, dy[r*n:(r+1)*n], x[r*n:(r+1)*n], inv[r], -mean[r]*inv[r])
			}
		})
		acc := make([]float64, 2*n)
		for k := range parts {
			l.accumulate(acc, part[k*2*n:(k+1)*2*n])
		}
		for i := range n {
			if dw != nil {
				dw[i] = T(acc[i])
			}
			if db != nil {
				db[i] = T(acc[n+i])
			}
		}
	}
	if dx == nil {
		return
	}
	atLeast(rows*n, len(dx))
	channelRows(p, rows, n, func(r int) {
		x, dy := x[r*n:(r+1)*n], dy[r*n:(r+1)*n]
		i, mu := float64(inv[r]), float64(mean[r])
		s, t := l.sumDot3(dy, w, x)
		t, s = i*i*i*(t-mu*s)/float64(n), i*s/float64(n)
		if rms {
			s = 0
		}
		l.normGradRow(dx[r*n:(r+1)*n], dy, w, x, T(i), T(-t), T(t*mu-s))
	})
}
