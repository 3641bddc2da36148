package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// The elementwise parts of ONNX LSTM and GRU with their default activations; the matrix products are the caller's. Gates are
// [batch, 4H] in the order i, o, f, c for LSTM and [batch, 3H] in the order z, r, h for GRU; states are [batch, H]. A forward
// kernel replaces the sums in gates by the activated gates, which the backward kernel needs.

// LSTMForward is, with gates holding x·Wᵀ + h·Rᵀ + biases, and peep [3H] in the order i, o, f or nil for 0:
//
//	i = σ(gi + peep_i*cPrev);  f = σ(gf + peep_f*cPrev), or 1-i with coupled;  g = tanh(gc)
//	c = f*cPrev + i*g;  o = σ(go + peep_o*c);  h = o*tanh(c)
//
// C may be cPrev where no gradient is wanted.
func LSTMForward[T Float](p *parallel.Pool, h, c, gates, cPrev, peep []T, batch, hidden int, coupled bool) {
	n := hidden
	atLeast(batch*n, len(h), len(c), len(cPrev))
	atLeast(4*batch*n, len(gates))
	if peep != nil {
		atLeast(3*n, len(peep))
	}
	l := loopsOf[T]()
	channelRows(p, batch, 4*n, func(b int) {
		row := gates[4*b*n : 4*(b+1)*n]
		i, o, f, g := row[:n], row[n:2*n], row[2*n:3*n], row[3*n:]
		h, c, cPrev := h[b*n:(b+1)*n], c[b*n:(b+1)*n], cPrev[b*n:(b+1)*n]
		if peep != nil {
			for k, v := range cPrev {
				i[k] += peep[k] * v
				f[k] += peep[2*n+k] * v
			}
		}
		l.sigmoid(i, i)
		l.sigmoid(f, f)
		l.tanh(g, g)
		if coupled {
			for k, v := range i {
				f[k] = 1 - v
			}
		}
		for k := range c {
			c[k] = f[k]*cPrev[k] + i[k]*g[k]
		}
		if peep != nil {
			for k, v := range c {
				o[k] += peep[n+k] * v
			}
		}
		l.sigmoid(o, o)
		l.tanh(h, c)
		l.mul(h, h, o)
	})
}

// LSTMBackward is the gradient of LSTMForward: dgates by the sums in gates, dcPrev, and dpeep, to which it is added (nil if
// not wanted). Gates are the activated ones, dh and dc the gradients of the new states. Dgates may be gates, dcPrev may be dc.
func LSTMBackward[T Float](p *parallel.Pool, dgates, dcPrev, dpeep, gates, c, cPrev, peep, dh, dc []T, batch, hidden int, coupled bool) {
	n := hidden
	atLeast(batch*n, len(dcPrev), len(c), len(cPrev), len(dh), len(dc))
	atLeast(4*batch*n, len(gates), len(dgates))
	if peep != nil {
		atLeast(3*n, len(peep))
	}
	if dpeep != nil {
		atLeast(3*n, len(dpeep))
	}
	l := loopsOf[T]()
	p.For(batch, max(1, elemChunk/max(4*n, 1)), func(lo, hi int) {
		th := make([]T, n)
		for b := lo; b < hi; b++ {
			row, d := gates[4*b*n:4*(b+1)*n], dgates[4*b*n:4*(b+1)*n]
			c, cPrev, dh, dc, dcPrev := c[b*n:(b+1)*n], cPrev[b*n:(b+1)*n], dh[b*n:(b+1)*n], dc[b*n:(b+1)*n], dcPrev[b*n:(b+1)*n]
			l.tanh(th, c)
			for k, t := range th {
				i, o, f, g := row[k], row[n+k], row[2*n+k], row[3*n+k]
				do := dh[k] * t * o * (1 - o)
				dct := dc[k] + dh[k]*o*(1-t*t)
				if peep != nil {
					dct += do * peep[n+k]
				}
				di, df := dct*g, dct*cPrev[k]
				if coupled {
					di, df = di-df, 0
				}
				di *= i * (1 - i)
				df *= f * (1 - f)
				prev := dct * f
				if peep != nil {
					prev += di*peep[k] + df*peep[2*n+k]
				}
				d[k], d[n+k], d[2*n+k], d[3*n+k] = di, do, df, dct*i*(1-g*g)
				dcPrev[k] = prev
			}
		}
	})
	if dpeep == nil {
		return
	}
	for k := range n {
		var si, so, sf float64
		for b := range batch {
			d, prev := dgates[4*b*n:], float64(cPrev[b*n+k])
			si += float64(d[k]) * prev
			so += float64(d[n+k]) * float64(c[b*n+k])
			sf += float64(d[2*n+k]) * prev
		}
		dpeep[k] += T(si)
		dpeep[n+k] += T(so)
		dpeep[2*n+k] += T(sf)
	}
}

// GRUReset is the first part of GRU with linear_before_reset=0: z = σ(gz), r = σ(gr), rh = r*hPrev. The caller adds
// rh·Rhᵀ to the third gate and calls GRUOutput.
func GRUReset[T Float](p *parallel.Pool, rh, gates, hPrev []T, batch, hidden int) {
	n := hidden
	atLeast(batch*n, len(rh), len(hPrev))
	atLeast(3*batch*n, len(gates))
	l := loopsOf[T]()
	channelRows(p, batch, 3*n, func(b int) {
		zr := gates[3*b*n : 3*b*n+2*n]
		l.sigmoid(zr, zr)
		l.mul(rh[b*n:(b+1)*n], zr[n:], hPrev[b*n:(b+1)*n])
	})
}

// GRUOutput is the second part: g = tanh(gh), h = (1-z)*g + z*hPrev. H may be hPrev where no gradient is wanted.
func GRUOutput[T Float](p *parallel.Pool, h, gates, hPrev []T, batch, hidden int) {
	n := hidden
	atLeast(batch*n, len(h), len(hPrev))
	atLeast(3*batch*n, len(gates))
	l := loopsOf[T]()
	channelRows(p, batch, 3*n, func(b int) {
		row := gates[3*b*n : 3*(b+1)*n]
		z, g := row[:n], row[2*n:]
		l.tanh(g, g)
		h, prev := h[b*n:(b+1)*n], hPrev[b*n:(b+1)*n]
		for k, v := range z {
			h[k] = (1-v)*g[k] + v*prev[k]
		}
	})
}

// GRULinear is GRU with linear_before_reset=1, where rec [batch, H] is hPrev·Rhᵀ + Rbh and the third gate x·Whᵀ + Wbh:
//
//	z = σ(gz);  r = σ(gr);  g = tanh(gh + r*rec);  h = (1-z)*g + z*hPrev
func GRULinear[T Float](p *parallel.Pool, h, gates, rec, hPrev []T, batch, hidden int) {
	n := hidden
	atLeast(batch*n, len(rec))
	atLeast(3*batch*n, len(gates))
	l := loopsOf[T]()
	channelRows(p, batch, 3*n, func(b int) {
		row := gates[3*b*n : 3*(b+1)*n]
		l.sigmoid(row[:2*n], row[:2*n])
		r, g := row[n:2*n], row[2*n:]
		for k, v := range rec[b*n : (b+1)*n] {
			g[k] += r[k] * v
		}
	})
	GRUOutput(p, h, gates, hPrev, batch, hidden)
}

// GRUOutputGrad is the gradient of GRUOutput: the first and third part of dgates, and dhPrev as far as it comes from here.
// Gates are the activated ones. DhPrev may be dh, dgates may not be gates.
func GRUOutputGrad[T Float](p *parallel.Pool, dgates, dhPrev, gates, hPrev, dh []T, batch, hidden int) {
	n := hidden
	atLeast(batch*n, len(dhPrev), len(hPrev), len(dh))
	atLeast(3*batch*n, len(gates), len(dgates))
	channelRows(p, batch, 3*n, func(b int) {
		row, d := gates[3*b*n:3*(b+1)*n], dgates[3*b*n:3*(b+1)*n]
		for k, v := range dh[b*n : (b+1)*n] {
			z, g := row[k], row[2*n+k]
			d[k] = v * (hPrev[b*n+k] - g) * z * (1 - z)
			d[2*n+k] = v * (1 - z) * (1 - g*g)
			dhPrev[b*n+k] = v * z
		}
	})
}

// GRUResetGrad is the gradient of GRUReset, where drh is dgates_h·Rh: the second part of dgates, and dhPrev += drh*r.
func GRUResetGrad[T Float](p *parallel.Pool, dgates, dhPrev, gates, hPrev, drh []T, batch, hidden int) {
	n := hidden
	atLeast(batch*n, len(dhPrev), len(hPrev), len(drh))
	atLeast(3*batch*n, len(gates), len(dgates))
	channelRows(p, batch, 3*n, func(b int) {
		r, d := gates[3*b*n+n:3*b*n+2*n], dgates[3*b*n+n:3*b*n+2*n]
		for k, v := range drh[b*n : (b+1)*n] {
			d[k] = v * hPrev[b*n+k] * r[k] * (1 - r[k])
			dhPrev[b*n+k] += v * r[k]
		}
	})
}

// GRULinearGrad is the gradient of GRULinear after GRUOutputGrad: the second part of dgates, and drec.
func GRULinearGrad[T Float](p *parallel.Pool, dgates, drec, gates, rec []T, batch, hidden int) {
	n := hidden
	atLeast(batch*n, len(drec), len(rec))
	atLeast(3*batch*n, len(gates), len(dgates))
	channelRows(p, batch, 3*n, func(b int) {
		r, d := gates[3*b*n+n:3*b*n+2*n], dgates[3*b*n+n:3*(b+1)*n]
		for k, v := range rec[b*n : (b+1)*n] {
			g := d[n+k]
			d[k] = g * v * r[k] * (1 - r[k])
			drec[b*n+k] = g * r[k]
		}
	})
}
