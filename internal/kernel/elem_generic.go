package kernel

import "math"

// genericVectors are the loops in plain Go: the meaning of the assembly, and the code where there is none.
var genericVectors = vectors{
	add: func(out, a, b []float32) {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] + b[i]
		}
	},
	sub: func(out, a, b []float32) {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] - b[i]
		}
	},
	mul: func(out, a, b []float32) {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] * b[i]
		}
	},
	div: func(out, a, b []float32) {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] / b[i]
		}
	},
	max: func(out, a, b []float32) {
		for i := range out {
			out[i] = nanMax(a[i], b[i])
		}
	},
	min: func(out, a, b []float32) {
		for i := range out {
			out[i] = nanMin(a[i], b[i])
		}
	},
	adds:  map1s(func(x, s float32) float32 { return x + s }),
	rsubs: map1s(func(x, s float32) float32 { return s - x }),
	muls: func(out, a []float32, s float32) {
		a = a[:len(out)]
		for i := range out {
			out[i] = a[i] * s
		}
	},
	divs:  map1s(func(x, s float32) float32 { return x / s }),
	rdivs: map1s(func(x, s float32) float32 { return s / x }),
	maxs: map1s(func(x, s float32) float32 {
		if x < s {
			return s
		}
		return x
	}),
	mins: map1s(func(x, s float32) float32 {
		if x > s {
			return s
		}
		return x
	}),
	relu: func(out, a []float32) {
		a = a[:len(out)]
		for i, x := range a {
			if x < 0 {
				x = 0
			}
			out[i] = x
		}
	},
	abs:       map1(func(x float64) float64 { return math.Abs(x) }),
	neg:       map1(func(x float64) float64 { return -x }),
	sqrt:      map1(math.Sqrt),
	exp:       map1(exp),
	sigmoid:   map1(sigmoid),
	tanh:      map1(tanh),
	erf:       map1(math.Erf),
	silu:      map1(silu),
	gelu:      map1(gelu),
	geluTanh:  map1(geluTanh),
	hardSwish: map1(func(x float64) float64 { return x * min(1, max(0, x/6+0.5)) }),

	reluGrad: func(out, y, dy []float32) {
		y, dy = y[:len(out)], dy[:len(out)]
		for i := range out {
			d := dy[i]
			if !(y[i] > 0) {
				d = 0
			}
			out[i] = d
		}
	},
	sigmoidGrad:  map2(func(y, dy float64) float64 { return dy * y * (1 - y) }),
	tanhGrad:     map2(func(y, dy float64) float64 { return dy * (1 - y*y) }),
	geluGrad:     map2(geluGrad),
	geluTanhGrad: map2(geluTanhGrad),
	leaky: map1s(func(x, s float32) float32 {
		if x < 0 {
			return x * s
		}
		return x
	}),
	leakyGrad: func(out, x, dy []float32, s float32) {
		for i := range out {
			if x[i] > 0 {
				out[i] = dy[i]
			} else {
				out[i] = dy[i] * s
			}
		}
	},
	clip: plainClip[float32],
	clipGrad: func(out, x, dy []float32, lo, hi float32) {
		for i := range out {
			d := dy[i]
			if !(lo <= x[i] && x[i] <= hi) {
				d = 0
			}
			out[i] = d
		}
	},

	affine:     plainAffine[float32],
	affineRelu: plainAffineRelu[float32],
	axpy: func(out, x, y []float32, s float32) {
		x, y = x[:len(out)], y[:len(out)]
		for i := range out {
			out[i] = s*x[i] + y[i]
		}
	},
	lin2:        plainLin2[float32],
	lin2Mask:    plainLin2Mask[float32],
	within:      plainWithin[float32],
	lin2Within:  plainLin2Within[float32],
	normRow:     plainNormRow[float32],
	normGradRow: plainNormGradRow[float32],
	normParam:   plainNormParam[float32],
	momentum: func(buf, u []float32, mu, in, nag, own float32) {
		u = u[:len(buf)]
		for i := range buf {
			b := mu*buf[i] + in*u[i]
			buf[i] = b
			u[i] = nag*b + own*u[i]
		}
	},
	lstm: plainLSTM, gru: plainGRU, lstmGradOut: plainLSTMGradOut, lstmGradIn: plainLSTMGradIn,
	adam: func(u, m, v []float32, b1, n1, b2, n2, c1, c2, eps float32) {
		m, v = m[:len(u)], v[:len(u)]
		for i, g := range u {
			m[i] = b1*m[i] + n1*g
			v[i] = b2*v[i] + n2*(g*g)
			u[i] = c1 * m[i] / (c2*sqrt32(v[i]) + eps)
		}
	},
	diffGrad: func(u, m, v, prev []float32, b1, n1, b2, n2, c1, c2, eps float32) {
		m, v, prev = m[:len(u)], v[:len(u)], prev[:len(u)]
		for i, g := range u {
			m[i] = b1*m[i] + n1*g
			v[i] = b2*v[i] + n2*(g*g)
			xi := 1 / (1 + float32(exp(-math.Abs(float64(prev[i]-g)))))
			prev[i] = g
			u[i] = c1 * m[i] / (c2*sqrt32(v[i]) + eps) * xi
		}
	},

	sum: func(a []float32) (s float64) {
		var t float64
		for len(a) >= 2 {
			s += float64(a[0])
			t += float64(a[1])
			a = a[2:]
		}
		if len(a) > 0 {
			s += float64(a[0])
		}
		return s + t
	},
	absSum: func(a []float32) (s float64) {
		for _, x := range a {
			s += math.Abs(float64(x))
		}
		return s
	},
	dot:        plainDot[float32],
	sumDot:     plainSumDot[float32],
	sumDotMask: plainSumDotMask[float32],
	sumDot3:    plainSumDot3[float32],
	maxOf:      func(a []float32) float32 { return extremeOf(a, true) },
	minOf:      func(a []float32) float32 { return extremeOf(a, false) },
	expSum: func(out, a []float32, m float32) (s float64) {
		a = a[:len(out)]
		for i, x := range a {
			e := float32(exp(float64(x - m)))
			out[i] = e
			s += float64(e)
		}
		return s
	},
	acc:   plainAccumulate[float32],
	lanes: 1,
}

func map1(f func(float64) float64) vec1 {
	return func(out, a []float32) {
		a = a[:len(out)]
		for i, x := range a {
			out[i] = float32(f(float64(x)))
		}
	}
}

func map2(f func(x, y float64) float64) vec2 {
	return func(out, a, b []float32) {
		a, b = a[:len(out)], b[:len(out)]
		for i, x := range a {
			out[i] = float32(f(float64(x), float64(b[i])))
		}
	}
}

func map1s(f func(x, s float32) float32) vec1s {
	return func(out, a []float32, s float32) {
		a = a[:len(out)]
		for i, x := range a {
			out[i] = f(x, s)
		}
	}
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// nanMax is the larger of a and b, NaN when either is; of equal ones, b.
func nanMax[T Number](a, b T) T {
	if a > b || a != a {
		return a
	}
	return b
}

// nanMin is the smaller of a and b, NaN when either is; of equal ones, b.
func nanMin[T Number](a, b T) T {
	if a < b || a != a {
		return a
	}
	return b
}

func extremeOf(a []float32, largest bool) float32 {
	if largest {
		m := float32(math.Inf(-1))
		for _, x := range a {
			m = nanMax(m, x)
		}
		return m
	}
	m := float32(math.Inf(1))
	for _, x := range a {
		m = nanMin(m, x)
	}
	return m
}
