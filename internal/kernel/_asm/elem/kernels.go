package main

import "math"

func bin(name string, f func(g *gen, a, b V) V) kern {
	return kern{name, args("out:o a:i b:i"), nil, false, 4, func(g *gen, in []V, _ func(int) V) []V { return []V{f(g, in[0], in[1])} }}
}

func unary(name string, unroll int, f func(g *gen, a V) V) kern {
	return kern{name, args("out:o a:i"), nil, false, unroll, func(g *gen, in []V, _ func(int) V) []V { return []V{f(g, in[0])} }}
}

func scalar(name string, f func(g *gen, a, s V) V) kern {
	return kern{name, args("out:o a:i"), []string{"s"}, false, 4, func(g *gen, in []V, s func(int) V) []V {
		return []V{f(g, in[0], s(0))}
	}}
}

// ternary has three inputs a, b, c and up to three scalars.
func many(name, streams string, scalars []string, unroll int, f func(g *gen, in []V, s func(int) V) V) kern {
	return kern{name, args(streams), scalars, false, unroll, func(g *gen, in []V, s func(int) V) []V { return []V{f(g, in, s)} }}
}

var kernels = []kern{
	bin("vaddF32", func(g *gen, a, b V) V { return g.add(a, b) }),
	bin("vsubF32", func(g *gen, a, b V) V { return g.sub(a, b) }),
	bin("vmulF32", func(g *gen, a, b V) V { return g.mul(a, b) }),
	bin("vdivF32", func(g *gen, a, b V) V { return g.div(a, b) }),
	bin("vmax2F32", func(g *gen, a, b V) V { return g.nanMax(a, b) }),
	bin("vmin2F32", func(g *gen, a, b V) V { return g.nanMin(a, b) }),
	scalar("vaddsF32", func(g *gen, a, s V) V { return g.add(a, s) }),
	scalar("vrsubsF32", func(g *gen, a, s V) V { return g.sub(s, a) }),
	scalar("vmulsF32", func(g *gen, a, s V) V { return g.mul(a, s) }),
	scalar("vdivsF32", func(g *gen, a, s V) V { return g.div(a, s) }),
	scalar("vrdivsF32", func(g *gen, a, s V) V { return g.div(s, a) }),
	// With the scalar first a NaN of the vector passes.
	scalar("vmaxsF32", func(g *gen, a, s V) V { return g.max(s, a) }),
	scalar("vminsF32", func(g *gen, a, s V) V { return g.min(s, a) }),
	scalar("vleakyF32", func(g *gen, a, s V) V { return g.sel(g.cmp(less, a, g.zero()), g.mul(a, s), a) }),
	unary("vreluF32", 4, func(g *gen, a V) V { return g.max(g.zero(), a) }),
	unary("vabsF32", 4, func(g *gen, a V) V { return g.abs(a) }),
	unary("vnegF32", 4, func(g *gen, a V) V { return g.neg(a) }),
	unary("vsqrtF32", 2, func(g *gen, a V) V { return g.sqrt(a) }),
	unary("vexpF32", 1, (*gen).exp),
	unary("vsigmoidF32", 1, (*gen).sigmoid),
	unary("vtanhF32", 1, (*gen).tanh),
	unary("verfF32", 1, (*gen).erf),
	unary("vsiluF32", 1, func(g *gen, x V) V { return g.mul(x, g.sigmoid(x)) }),
	unary("vgeluF32", 1, func(g *gen, x V) V {
		cdf, _ := normal(g, x)
		return g.mul(x, cdf)
	}),
	unary("vgeluTanhF32", 1, func(g *gen, x V) V {
		t, _ := geluTanh(g, x)
		return g.mul(g.mul(x, g.k(0.5)), g.add(t, g.k(1)))
	}),
	unary("vhardSwishF32", 4, func(g *gen, x V) V {
		t := g.add(g.mul(x, g.k(1./6)), g.k(0.5))
		return g.mul(x, g.min(g.load(1), g.max(g.zero(), t)))
	}),

	bin("vreluGradF32", func(g *gen, y, dy V) V { return g.keep(g.cmp(greater, y, g.zero()), dy) }),
	bin("vsigmoidGradF32", func(g *gen, y, dy V) V { return g.mul(g.mul(dy, y), g.sub(g.load(1), y)) }),
	bin("vtanhGradF32", func(g *gen, y, dy V) V { return g.mul(dy, g.fnma(y, y, g.load(1))) }),
	heavy("vgeluGradF32", func(g *gen, x, dy V) V {
		// Φ(x) + x φ(x)
		cdf, e := normal(g, x)
		return g.mul(dy, g.fma(g.mul(x, g.k(1/math.Sqrt(2*math.Pi))), e, cdf))
	}),
	heavy("vgeluTanhGradF32", func(g *gen, x, dy V) V {
		t, z := geluTanh(g, x)
		du := g.fma(z, g.load(3*0.044715*geluC), g.k(geluC))
		d := g.mul(g.mul(g.fnma(t, t, g.load(1)), du), x)
		return g.mul(dy, g.mul(g.add(g.add(t, g.k(1)), d), g.k(0.5)))
	}),
	many("vleakyGradF32", "out:o x:i dy:i", []string{"s"}, 4, func(g *gen, in []V, s func(int) V) V {
		return g.sel(g.cmp(greater, in[0], g.zero()), in[1], g.mul(in[1], s(0)))
	}),
	many("vclipF32", "out:o a:i", []string{"lo", "hi"}, 4, func(g *gen, in []V, s func(int) V) V {
		return g.min(s(1), g.max(s(0), in[0]))
	}),
	many("vclipGradF32", "out:o x:i dy:i", []string{"lo", "hi"}, 4, func(g *gen, in []V, s func(int) V) V {
		return g.keep(g.cmp(lessEq, in[0], s(1)), g.keep(g.cmp(greaterEq, in[0], s(0)), in[1]))
	}),

	many("vaffineF32", "out:o a:i", []string{"s", "b"}, 4, func(g *gen, in []V, s func(int) V) V {
		return g.fma(in[0], s(0), s(1))
	}),
	many("vaffineReluF32", "out:o a:i", []string{"s", "b"}, 4, func(g *gen, in []V, s func(int) V) V {
		return g.max(g.zero(), g.fma(in[0], s(0), s(1)))
	}),
	many("vaxpyF32", "out:o x:i y:i", []string{"s"}, 4, func(g *gen, in []V, s func(int) V) V {
		return g.fma(in[0], s(0), in[1])
	}),
	many("vlin2F32", "out:o x:i y:i", []string{"s", "t", "b"}, 2, func(g *gen, in []V, s func(int) V) V {
		return g.fma(in[0], s(0), g.fma(in[1], s(1), s(2)))
	}),
	many("vlin2MaskF32", "out:o x:i y:i m:i", []string{"s", "t", "b"}, 2, func(g *gen, in []V, s func(int) V) V {
		x := g.keep(g.cmp(greater, in[2], g.zero()), in[0])
		return g.fma(x, s(0), g.fma(in[1], s(1), s(2)))
	}),
	many("vwithinF32", "out:o x:i dy:i", []string{"s", "b", "lo", "hi"}, 2, func(g *gen, in []V, s func(int) V) V {
		z := g.fma(in[0], s(0), s(1))
		return g.keep(g.cmp(lessEq, z, s(3)), g.keep(g.cmp(greaterEq, z, s(2)), in[1]))
	}),
	many("vlin2WithinF32", "out:o x:i dy:i", []string{"s", "b", "lo", "hi", "q", "u", "v"}, 2, func(g *gen, in []V, s func(int) V) V {
		z := g.fma(in[0], s(0), s(1))
		dy := g.keep(g.cmp(lessEq, z, s(3)), g.keep(g.cmp(greaterEq, z, s(2)), in[1]))
		return g.fma(dy, s(4), g.fma(in[0], s(5), s(6)))
	}),
	many("vnormRowF32", "out:o x:i w:i b:i", []string{"s", "t"}, 2, func(g *gen, in []V, s func(int) V) V {
		return g.fma(g.fma(in[0], s(0), s(1)), in[1], in[2])
	}),
	many("vnormGradRowF32", "out:o dy:i w:i x:i", []string{"s", "t", "b"}, 2, func(g *gen, in []V, s func(int) V) V {
		return g.fma(g.mul(in[0], in[1]), s(0), g.fma(in[2], s(1), s(2)))
	}),
	{"vnormParamF32", args("dw:io db:io dy:i x:i"), []string{"s", "t"}, false, 2, func(g *gen, in []V, s func(int) V) []V {
		return []V{g.fma(in[2], g.fma(in[3], s(0), s(1)), in[0]), g.add(in[1], in[2])}
	}},

	// Cells of recurrent layers: gates before activation become those after it.
	{"vlstmF32", args("c:io h:o i:io o:io f:io g:io"), nil, false, 1, func(g *gen, in []V, _ func(int) V) []V {
		i, o, f, z := g.sigmoid(in[1]), g.sigmoid(in[2]), g.sigmoid(in[3]), g.tanh(in[4])
		c := g.fma(f, in[0], g.mul(i, z))
		return []V{c, g.mul(o, g.tanh(c)), i, o, f, z}
	}},
	{"vgruF32", args("h:io z:io r:io n:io q:i"), nil, false, 1, func(g *gen, in []V, _ func(int) V) []V {
		z, r := g.sigmoid(in[1]), g.sigmoid(in[2])
		n := g.tanh(g.fma(r, in[4], in[3]))
		return []V{g.fma(z, g.sub(in[0], n), n), z, r, n}
	}},
	// dc is that by the cell after the step, then by the one before it; t the tangent of the cell.
	{"vlstmGradOutF32", args("dc:io zo:o dh:i o:i cell:i"), nil, false, 1, func(g *gen, in []V, _ func(int) V) []V {
		dc, dh, o, t := in[0], in[1], in[2], g.tanh(in[3])
		zo := g.mul(g.mul(dh, t), g.mul(o, g.sub(g.load(1), o)))
		return []V{g.fma(g.mul(dh, o), g.fnma(t, t, g.load(1)), dc), zo}
	}},
	{"vlstmGradInF32", args("dc:io zi:o zf:o zg:o i:i f:i g:i old:i"), nil, false, 1, func(g *gen, in []V, _ func(int) V) []V {
		dc, i, f, z, old := in[0], in[1], in[2], in[3], in[4]
		zi := g.mul(g.mul(dc, z), g.mul(i, g.sub(g.load(1), i)))
		zf := g.mul(g.mul(dc, old), g.mul(f, g.sub(g.load(1), f)))
		zg := g.mul(g.mul(dc, i), g.fnma(z, z, g.load(1)))
		return []V{g.mul(dc, f), zi, zf, zg}
	}},

	// Optimiser rules. u is the gradient and becomes the direction.
	{"vmomentumF32", args("buf:io u:io"), []string{"mu", "in", "nag", "own"}, false, 2, func(g *gen, in []V, s func(int) V) []V {
		b := g.fma(in[0], s(0), g.mul(in[1], s(1)))
		return []V{b, g.fma(b, s(2), g.mul(in[1], s(3)))}
	}},
	{"vadamF32", args("u:io m:io v:io"), []string{"b1", "n1", "b2", "n2", "c1", "c2", "eps"}, true, 1,
		func(g *gen, in []V, s func(int) V) []V {
			u, m, v := adam(g, in[0], in[1], in[2], s)
			return []V{u, m, v}
		}},
	{"vdiffGradF32", args("u:io m:io v:io prev:io"), []string{"b1", "n1", "b2", "n2", "c1", "c2", "eps"}, true, 1,
		func(g *gen, in []V, s func(int) V) []V {
			u, m, v := adam(g, in[0], in[1], in[2], s)
			d := g.abs(g.sub(in[3], in[0]))
			xi := g.div(g.load(1), g.add(g.exp(g.neg(d)), g.k(1)))
			return []V{g.mul(u, xi), m, v, in[0]}
		}},
}

func heavy(name string, f func(g *gen, a, b V) V) kern {
	k := bin(name, f)
	k.unroll = 1
	return k
}

// normal is Φ(x) and e = e^(-x²/2). Below zero Φ is e·P(t), t = 1/(1 + 0.35·|x|), P a polynomial with which that differs from Φ by less
// than
// 5.2e-9, found by least squares with weights that grow where the error is largest; above zero it is 1 less that of -x.
func normal(g *gen, x V) (cdf, e V) {
	e = g.exp(g.mul(g.mul(x, x), g.k(-0.5)))
	t := g.div(g.load(1), g.fma(g.abs(x), g.load(0.35), g.k(1)))
	p := g.poly(t, 0.0047721942, 0.0924885646, 0.335900903, -0.317871213, 0.643515646, -0.307931274, 0.0491251685)
	tail := g.mul(p, e)
	return g.sel(g.cmp(less, x, g.zero()), tail, g.sub(g.load(1), tail)), e
}

const geluC = 0.7978845608028654 // √(2/π)

// geluTanh is tanh(√(2/π)(x + 0.044715 x³)) and x².
func geluTanh(g *gen, x V) (t, z V) {
	z = g.mul(x, x)
	return g.tanh(g.mul(x, g.fma(z, g.load(0.044715*geluC), g.k(geluC)))), z
}

func adam(g *gen, u, m, v V, s func(int) V) (dir, m2, v2 V) {
	m2 = g.fma(m, s(0), g.mul(u, s(1)))
	v2 = g.fma(v, s(2), g.mul(g.mul(u, u), s(3)))
	den := g.fma(g.sqrt(v2), s(5), s(6))
	return g.div(g.mul(m2, s(4)), den), m2, v2
}
