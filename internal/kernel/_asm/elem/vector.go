package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// V is a vector register.
type V = reg.VecVirtual

// gen emits code for one instruction set; the bodies of kernels are written once in its terms.
type gen struct {
	z      bool // AVX-512, else AVX2
	suffix string
}

// lanes is the number of float32 of a vector.
func (g *gen) lanes() int {
	if g.z {
		return 16
	}
	return 8
}

func (g *gen) vec() V {
	if g.z {
		return ZMM()
	}
	return YMM()
}

// half is a register of half the width of a vector.
func (g *gen) half() V {
	if g.z {
		return YMM()
	}
	return XMM()
}

var consts = map[uint32]Mem{}

// kb is a vector constant of the given bits in memory.
func (g *gen) kb(bits uint32) Mem {
	m, ok := consts[bits]
	if !ok {
		m = GLOBL(fmt.Sprintf("elemK%08x", bits), RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(bits))
		}
		consts[bits] = m
	}
	return m
}

func (g *gen) k(f float64) Mem { return g.kb(math.Float32bits(float32(f))) }

// load is the constant f in a register.
func (g *gen) load(f float64) V {
	v := g.vec()
	VMOVUPS(g.k(f), v)
	return v
}

func (g *gen) zero() V {
	v := g.vec()
	if g.z {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
	return v
}

func (g *gen) bin(op func(...Op), a V, b Op) V {
	v := g.vec()
	op(b, a, v)
	return v
}

func (g *gen) add(a V, b Op) V { return g.bin(VADDPS, a, b) }
func (g *gen) sub(a V, b Op) V { return g.bin(VSUBPS, a, b) }
func (g *gen) mul(a V, b Op) V { return g.bin(VMULPS, a, b) }
func (g *gen) div(a V, b Op) V { return g.bin(VDIVPS, a, b) }

// max is a > b ? a : b, min is a < b ? a : b: a NaN on either side gives b.
func (g *gen) max(a V, b Op) V { return g.bin(VMAXPS, a, b) }
func (g *gen) min(a V, b Op) V { return g.bin(VMINPS, a, b) }
func (g *gen) and(a V, b Op) V { return g.bin(VANDPS, a, b) }
func (g *gen) or(a V, b Op) V  { return g.bin(VORPS, a, b) }
func (g *gen) xor(a V, b Op) V { return g.bin(VXORPS, a, b) }

func (g *gen) sqrt(a V) V {
	v := g.vec()
	VSQRTPS(a, v)
	return v
}

// fma is a*b + c.
func (g *gen) fma(a V, b V, c Op) V {
	v := g.vec()
	VMOVAPS(a, v)
	VFMADD213PS(c, b, v)
	return v
}

// fnma is c - a*b.
func (g *gen) fnma(a V, b Op, c V) V {
	v := g.vec()
	VMOVAPS(c, v)
	VFNMADD231PS(b, a, v)
	return v
}

func (g *gen) abs(a V) V { return g.and(a, g.kb(0x7fffffff)) }
func (g *gen) neg(a V) V { return g.xor(a, g.kb(0x80000000)) }

// withSign is |a| with the sign of s; a must not be negative.
func (g *gen) withSign(a, s V) V { return g.or(a, g.and(s, g.kb(0x80000000))) }

// Comparison predicates of VCMPPS.
const (
	unordered = 0x03
	less      = 0x11
	lessEq    = 0x12
	greaterEq = 0x1d
	greater   = 0x1e
)

// cmp is the mask of a pred b.
func (g *gen) cmp(pred int, a V, b Op) reg.Register {
	if g.z {
		m := K()
		VCMPPS(U8(pred), b, a, m)
		return m
	}
	m := YMM()
	VCMPPS(U8(pred), b, a, m)
	return m
}

// sel is t where m, else f.
func (g *gen) sel(m reg.Register, t Op, f V) V {
	v := g.vec()
	if g.z {
		VBLENDMPS(t, f, m, v)
	} else {
		VBLENDVPS(m, t, f, v)
	}
	return v
}

// keep is a where m, else 0.
func (g *gen) keep(m reg.Register, a V) V {
	v := g.vec()
	if g.z {
		VMOVAPS_Z(a, m, v)
	} else {
		VANDPS(a, m, v)
	}
	return v
}

// nanMax is max that gives NaN when either is.
func (g *gen) nanMax(a, b V) V { return g.sel(g.cmp(unordered, a, a), a, g.max(a, b)) }
func (g *gen) nanMin(a, b V) V { return g.sel(g.cmp(unordered, a, a), a, g.min(a, b)) }

// poly is c[0] + c[1]*x + …
func (g *gen) poly(x V, c ...float64) V {
	p := g.load(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		VFMADD213PS(g.k(c[i]), x, p)
	}
	return p
}

// exp is e^x: x = n ln 2 + r, a polynomial of degree 6 in r, and the scale 2^n.
func (g *gen) exp(x V) V {
	// A NaN passes as the second operand.
	x = g.max(g.load(-104), x)
	x = g.min(g.load(89), x)
	n := g.vec()
	t := g.mul(x, g.k(math.Log2E))
	if g.z {
		VRNDSCALEPS(U8(8), t, n)
	} else {
		VROUNDPS(U8(8), t, n)
	}
	const ln2hi = 0.693359375
	r := g.fnma(n, g.k(ln2hi), x)
	r = g.fnma(n, g.k(math.Ln2-ln2hi), r)
	p := g.poly(r, 0.5, 0.166665778, 0.0416665561, 0.00836317334, 0.00139261759)
	VFMADD213PS(r, g.mul(r, r), p)
	p = g.add(p, g.k(1))
	v := g.vec()
	if g.z {
		VSCALEFPS(n, p, v)
		return v
	}
	i, h, l := YMM(), YMM(), YMM()
	VCVTPS2DQ(n, i)
	VPSRAD(U8(1), i, h)
	VPSUBD(h, i, l)
	for _, e := range []V{h, l} {
		VPADDD(g.kb(127), e, e)
		VPSLLD(U8(23), e, e)
		p = g.mul(p, e)
	}
	return p
}

// sigmoid is 1/(1+e^-x), computed from e^-|x|.
func (g *gen) sigmoid(x V) V {
	e := g.exp(g.or(x, g.kb(0x80000000)))
	num := g.sel(g.cmp(greaterEq, x, g.zero()), g.k(1), e)
	return g.div(num, g.add(e, g.k(1)))
}

// tanh is xP(x²)/Q(x²) of x clamped to [-9, 9], with the coefficients of Eigen and ONNX Runtime.
func (g *gen) tanh(x V) V {
	x = g.max(g.load(-9), x)
	x = g.min(g.load(9), x)
	z := g.mul(x, x)
	p := g.poly(z, 4.89352455891786e-03, 6.37261928875436e-04, 1.48572235717979e-05, 5.12229709037114e-08, -8.60467152213735e-11,
		2.00018790482477e-13, -2.76076847742355e-16)
	q := g.poly(z, 4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06)
	return g.div(g.mul(p, x), q)
}

// erf is x + xP(x²) below 1 and 1 - e^-G(x) above, G a polynomial that fits -ln(1-erf) on [1,4].
func (g *gen) erf(x V) V {
	a := g.abs(x)
	t := g.sub(g.min(g.load(4), a), g.k(2))
	p := g.poly(t, 5.36494112, 4.41816092, 0.923750877, 0.0164646748, -0.00357086817, 0.000733360532, -0.000135353985, 1.98636208e-05,
		-1.6371514e-06)
	big := g.withSign(g.sub(g.load(1), g.exp(g.neg(p))), x)
	z := g.mul(x, x)
	q := g.poly(z, 0.128379166, -0.37612626, 0.112835944, -0.0268542115, 0.00518908724, -0.00080168643, 7.87587487e-05)
	small := g.fma(q, x, x)
	return g.sel(g.cmp(less, a, g.k(1)), small, big)
}
