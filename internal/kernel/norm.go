package kernel

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Arrays of the normalisations over channels have shape [n, c, hw], with all spatial axes merged into hw.

// Clamp is y = min(max(y, Lo), Hi) after a normalisation over channels; NaN stays. Nil does nothing.
type Clamp struct{ Lo, Hi float32 }

// Relu is the clamp max(y, 0).
var Relu = &Clamp{Hi: float32(math.Inf(1))}

func (c *Clamp) relu() bool { return c != nil && *c == *Relu }

// ChannelAffine is y[n,c,:] = x[n,c,:]*s[c] + b[c], then clamped: BatchNormalization in inference. Y may be x.
func ChannelAffine[T Float](p *parallel.Pool, y, x, s, b []T, n, c, hw int, then *Clamp) {
	atLeast(n*c*hw, len(y), len(x))
	atLeast(c, len(s), len(b))
	l := loopsOf[T]()
	f := l.affine
	switch {
	case then.relu():
		f = l.affineRelu
	case then != nil:
		f = func(out, a []T, s, b T) {
			l.affine(out, a, s, b)
			l.clip(out, out, T(then.Lo), T(then.Hi))
		}
	}
	if hw == 1 {
		channelRows(p, n, c, func(i int) {
			y, x := y[i*c:(i+1)*c], x[i*c:(i+1)*c]
			for j, v := range x {
				v = v*s[j] + b[j]
				if then != nil && v < T(then.Lo) {
					v = T(then.Lo)
				} else if then != nil && v > T(then.Hi) {
					v = T(then.Hi)
				}
				y[j] = v
			}
		})
		return
	}
	channelRows(p, n*c, hw, func(r int) {
		f(y[r*hw:(r+1)*hw], x[r*hw:(r+1)*hw], s[r%c], b[r%c])
	})
}

// channelRows calls f for rows 0..rows-1 of n elements each.
func channelRows(p *parallel.Pool, rows, n int, f func(r int)) {
	if n == 0 {
		return
	}
	p.For(rows, max(1, elemChunk/n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			f(r)
		}
	})
}

// ChannelSums is sum[c] = Σ dy[n,c,i] and dot[c] = Σ dy[n,c,i]*x[n,c,i]; with a mask, over the elements where mask > 0. Accumulated
// in float64.
func ChannelSums[T Float](p *parallel.Pool, sum, dot []float64, dy, x, mask []T, n, c, hw int) {
	atLeast(n*c*hw, len(dy), len(x))
	atLeast(c, len(sum), len(dot))
	if mask != nil {
		atLeast(n*c*hw, len(mask))
	}
	channelGroups(p, n, c, hw, func(lo, hi int) { channelSums(sum, dot, dy, x, mask, nil, n, c, hw, lo, hi) })
}

// channelGroups calls f for channels lo..hi-1, of which there are as many at a time as a cache holds, so that f may pass over them again.
func channelGroups(p *parallel.Pool, n, c, hw int, f func(lo, hi int)) {
	size := max(n*hw, 1)
	p.For(c, max(1, elemChunk/size), func(lo, hi int) {
		for step := max(1, 2*elemChunk/size); lo < hi; lo += step {
			f(lo, min(lo+step, hi))
		}
	})
}

// channelSums is ChannelSums of channels lo..hi-1, by the mask of from where that is not nil.
func channelSums[T Float](sum, dot []float64, dy, x, mask []T, from *within[T], n, c, hw, lo, hi int) {
	l := loopsOf[T]()
	var row []T
	if from != nil {
		if r, ok := any(&row).(*[]float32); ok {
			buf := getBuffer(hw)
			defer buf.put()
			*r = buf.f[:hw]
		} else {
			row = make([]T, hw)
		}
	}
	clear(sum[lo:hi])
	clear(dot[lo:hi])
	for i := range n {
		if hw == 1 {
			for k := lo; k < hi; k++ {
				if d := float64(dy[i*c+k]); mask == nil || mask[i*c+k] > 0 {
					sum[k] += d
					dot[k] += d * float64(x[i*c+k])
				}
			}
			continue
		}
		for k := lo; k < hi; k++ {
			at := (i*c + k) * hw
			var s, t float64
			switch {
			case from != nil:
				l.within(row, x[at:at+hw], dy[at:at+hw], from.s[k], from.b[k], from.lo, from.hi)
				s, t = l.sumDot(row, x[at:at+hw])
			case mask == nil:
				s, t = l.sumDot(dy[at:at+hw], x[at:at+hw])
			default:
				s, t = l.sumDotMask(dy[at:at+hw], x[at:at+hw], mask[at:at+hw])
			}
			sum[k] += s
			dot[k] += t
		}
	}
}

// BatchNormStats is the mean and the population variance of x over n and hw for each channel.
func BatchNormStats[T Float](p *parallel.Pool, mean, variance, x []T, n, c, hw int) {
	atLeast(c, len(mean), len(variance))
	s, q := make([]float64, c), make([]float64, c)
	ChannelSums(p, s, q, x, x, nil, n, c, hw)
	m := float64(n * hw)
	for k := range c {
		mu := s[k] / m
		mean[k], variance[k] = T(mu), T(atLeastZero(q[k]/m-mu*mu))
	}
}

// atLeastZero is max(v, 0); NaN stays.
func atLeastZero(v float64) float64 {
	if v < 0 {
		return 0
	}
	return v
}

// BatchNormTrain is y = (x-mean)*inv*scale + bias with the mean and inv = 1/√(variance+eps) of the batch, which it returns
// with the variance; y is then clamped. Y may be x.
func BatchNormTrain[T Float](p *parallel.Pool, y, mean, variance, inv, x, scale, bias []T, n, c, hw int, eps float64, then *Clamp) {
	BatchNormStats(p, mean, variance, x, n, c, hw)
	s, b := make([]T, c), make([]T, c)
	for k := range c {
		inv[k] = T(1 / math.Sqrt(float64(variance[k])+eps))
	}
	BatchNormCoefficients(s, b, mean, inv, scale, bias)
	ChannelAffine(p, y, x, s, b, n, c, hw, then)
}

// BatchNormCoefficients are s and b with which BatchNormTrain computes y = x*s + b: the same bits from the same mean and inv.
func BatchNormCoefficients[T Float](s, b, mean, inv, scale, bias []T) {
	for k := range s {
		a := float64(inv[k]) * float64(scale[k])
		s[k], b[k] = T(a), T(float64(bias[k])-a*float64(mean[k]))
	}
}

// channelPlanes calls f for channels lo..hi-1 of every example, with where their planes begin and end.
func channelPlanes(n, c, hw, lo, hi int, f func(k, lo, hi int)) {
	for i := range n {
		for k := lo; k < hi; k++ {
			f(k, (i*c+k)*hw, (i*c+k+1)*hw)
		}
	}
}

// BatchNormGrad is the gradient of y = (x-mean)*inv*scale + bias by x, scale and bias, any of which may be nil:
//
//	dbias[c] = Σ dy,  dscale[c] = Σ dy*x̂,  x̂ = (x-mean)*inv
//	dx = scale*inv*dy                                            // frozen: mean and inv are constants
//	dx = scale*inv*(dy - dbias/m - x̂*dscale/m),  m = n*hw        // training: they are those of x
//
// With a mask, dy counts where mask > 0: the fused gradient of a Relu behind, mask being its output. Dx may be dy.
func BatchNormGrad[T Float](p *parallel.Pool, dx, dscale, dbias, x, dy, mask, scale, mean, inv []T, n, c, hw int, training bool) {
	batchNormGrad(p, dx, dscale, dbias, x, dy, mask, nil, scale, mean, inv, n, c, hw, training)
}

// BatchNormReluGrad is BatchNormGrad with the mask max(x*s + b, 0), by the numbers that ChannelAffine gave for the same s and b.
func BatchNormReluGrad[T Float](p *parallel.Pool, dx, dscale, dbias, x, dy, s, b, scale, mean, inv []T, n, c, hw int, training bool) {
	var least T // above 0
	switch p := any(&least).(type) {
	case *float32:
		*p = math.SmallestNonzeroFloat32
	case *float64:
		*p = math.SmallestNonzeroFloat64
	}
	w := &within[T]{s, b, least, T(math.Inf(1))}
	batchNormGrad(p, dx, dscale, dbias, x, dy, nil, w, scale, mean, inv, n, c, hw, training)
}

// BatchNormClipGrad is BatchNormGrad where dy counts where x*s + b, as ChannelAffine gives it, is not outside of the bounds.
func BatchNormClipGrad[T Float](p *parallel.Pool, dx, dscale, dbias, x, dy, s, b []T, bounds Clamp, scale, mean, inv []T, n, c, hw int,
	training bool) {
	w := &within[T]{s, b, T(bounds.Lo), T(bounds.Hi)}
	batchNormGrad(p, dx, dscale, dbias, x, dy, nil, w, scale, mean, inv, n, c, hw, training)
}

// within says where dy counts: where x*s + b is from lo to hi.
type within[T Float] struct {
	s, b   []T
	lo, hi T
}

// masked is dy where it counts, else 0, for one number to a channel.
func (w *within[T]) masked(x, dy []T, n, c int) []T {
	out := make([]T, n*c)
	for i := range n {
		for k := range c {
			if z := x[i*c+k]*w.s[k] + w.b[k]; w.lo <= z && z <= w.hi {
				out[i*c+k] = dy[i*c+k]
			}
		}
	}
	return out
}

func batchNormGrad[T Float](p *parallel.Pool, dx, dscale, dbias, x, dy, mask []T, from *within[T], scale, mean, inv []T, n, c, hw int,
	training bool) {
	atLeast(n*c*hw, len(x), len(dy))
	atLeast(c, len(scale), len(mean), len(inv))
	if dx != nil {
		atLeast(n*c*hw, len(dx))
	}
	if mask != nil {
		atLeast(n*c*hw, len(mask))
	}
	if from != nil {
		atLeast(c, len(from.s), len(from.b))
		if hw == 1 {
			dy, from = from.masked(x, dy, n, c), nil
		}
	}
	l, m := loopsOf[T](), float64(n*hw)
	s, t, coef := make([]float64, c), make([]float64, c), make([][3]T, c)
	last := func(k, lo, hi int) {
		q := &coef[k]
		switch {
		case from != nil:
			l.lin2Within(dx[lo:hi], x[lo:hi], dy[lo:hi], from.s[k], from.b[k], from.lo, from.hi, q[0], q[1], q[2])
		case mask == nil:
			l.lin2(dx[lo:hi], dy[lo:hi], x[lo:hi], q[0], q[1], q[2])
		default:
			l.lin2Mask(dx[lo:hi], dy[lo:hi], x[lo:hi], mask[lo:hi], q[0], q[1], q[2])
		}
	}
	channelGroups(p, n, c, hw, func(lo, hi int) {
		if training || dscale != nil || dbias != nil {
			channelSums(s, t, dy, x, mask, from, n, c, hw, lo, hi)
		}
		for k := lo; k < hi; k++ {
			t[k] = float64(inv[k]) * (t[k] - float64(mean[k])*s[k])
			if dscale != nil {
				dscale[k] = T(t[k])
			}
			if dbias != nil {
				dbias[k] = T(s[k])
			}
			i, a := float64(inv[k]), float64(scale[k])*float64(inv[k])
			coef[k][0] = T(a)
			if training {
				u := -a * i * t[k] / m
				coef[k][1], coef[k][2] = T(u), T(-a*s[k]/m-u*float64(mean[k]))
			}
		}
		if dx != nil && hw > 1 {
			channelPlanes(n, c, hw, lo, hi, last)
		}
	})
	if dx != nil && hw == 1 {
		channelRows(p, n*c, hw, func(r int) { last(r%c, r, r+1) })
	}
}
