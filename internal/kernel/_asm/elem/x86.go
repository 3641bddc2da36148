package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// x86 is AVX2 or AVX-512.
type x86 struct {
	z      bool // AVX-512, else AVX2
	suffix string
}

// R is a vector register.
type R = reg.VecVirtual

// lanes is the number of float32 of a vector.
func (g *x86) lanes() int {
	if g.z {
		return 16
	}
	return 8
}

func (g *x86) vec() R {
	if g.z {
		return ZMM()
	}
	return YMM()
}

// half is a register of half the width of a vector.
func (g *x86) half() R {
	if g.z {
		return YMM()
	}
	return XMM()
}

var consts = map[uint32]Mem{}

// kb is a vector constant of the given bits in memory.
func (g *x86) kb(bits uint32) V { return g.constant(bits) }

// constant is kb as an operand.
func (g *x86) constant(bits uint32) Mem {
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

func (g *x86) k(f float64) V { return g.kb(math.Float32bits(float32(f))) }

// load is the constant f in a register.
func (g *x86) load(f float64) V {
	v := g.vec()
	VMOVUPS(g.constant(math.Float32bits(float32(f))), v)
	return v
}

func (g *x86) zero() V {
	v := g.vec()
	if g.z {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
	return v
}

func (g *x86) bin(op func(...Op), a, b V) V {
	v := g.vec()
	op(b.(Op), a.(Op), v)
	return v
}

func (g *x86) add(a, b V) V { return g.bin(VADDPS, a, b) }
func (g *x86) sub(a, b V) V { return g.bin(VSUBPS, a, b) }
func (g *x86) mul(a, b V) V { return g.bin(VMULPS, a, b) }
func (g *x86) div(a, b V) V { return g.bin(VDIVPS, a, b) }

// max is a > b ? a : b, min is a < b ? a : b: a NaN on either side gives b.
func (g *x86) max(a, b V) V { return g.bin(VMAXPS, a, b) }
func (g *x86) min(a, b V) V { return g.bin(VMINPS, a, b) }
func (g *x86) and(a, b V) V { return g.bin(VANDPS, a, b) }
func (g *x86) or(a, b V) V  { return g.bin(VORPS, a, b) }
func (g *x86) xor(a, b V) V { return g.bin(VXORPS, a, b) }

func (g *x86) sqrt(a V) V {
	v := g.vec()
	VSQRTPS(a.(Op), v)
	return v
}

// fma is a*b + c.
func (g *x86) fma(a, b, c V) V {
	v := g.vec()
	VMOVAPS(a.(Op), v)
	VFMADD213PS(c.(Op), b.(Op), v)
	return v
}

// fnma is c - a*b.
func (g *x86) fnma(a, b, c V) V {
	v := g.vec()
	VMOVAPS(c.(Op), v)
	VFNMADD231PS(b.(Op), a.(Op), v)
	return v
}

func (g *x86) abs(a V) V { return g.and(a, g.kb(0x7fffffff)) }
func (g *x86) neg(a V) V { return g.xor(a, g.kb(0x80000000)) }

// cmp is the mask of a pred b.
func (g *x86) cmp(pred int, a, b V) M {
	if g.z {
		m := K()
		VCMPPS(U8(pred), b.(Op), a.(Op), m)
		return m
	}
	m := YMM()
	VCMPPS(U8(pred), b.(Op), a.(Op), m)
	return m
}

// sel is t where m, else f.
func (g *x86) sel(m M, t, f V) V {
	v := g.vec()
	if g.z {
		VBLENDMPS(t.(Op), f.(Op), m.(Op), v)
	} else {
		VBLENDVPS(m.(Op), t.(Op), f.(Op), v)
	}
	return v
}

// keep is a where m, else 0.
func (g *x86) keep(m M, a V) V {
	v := g.vec()
	if g.z {
		VMOVAPS_Z(a.(Op), m.(Op), v)
	} else {
		VANDPS(a.(Op), m.(Op), v)
	}
	return v
}

// nanMax is max that gives NaN when either is.
func (g *x86) nanMax(a, b V) V { return g.sel(g.cmp(unordered, a, a), a, g.max(a, b)) }
func (g *x86) nanMin(a, b V) V { return g.sel(g.cmp(unordered, a, a), a, g.min(a, b)) }

// horner is p*x + c, in the place of p.
func (g *x86) horner(p, x, c V) V {
	VFMADD213PS(c.(Op), x.(Op), p.(Op))
	return p
}

func (g *x86) round(a V) V {
	n := g.vec()
	if g.z {
		VRNDSCALEPS(U8(8), a.(Op), n)
	} else {
		VROUNDPS(U8(8), a.(Op), n)
	}
	return n
}

// scale multiplies twice by half of 2^n where there is no instruction for it, since 2^n alone may be no normal number.
func (g *x86) scale(p, n V) V {
	v := g.vec()
	if g.z {
		VSCALEFPS(n.(Op), p.(Op), v)
		return v
	}
	i, h, l := YMM(), YMM(), YMM()
	VCVTPS2DQ(n.(Op), i)
	VPSRAD(U8(1), i, h)
	VPSUBD(h, i, l)
	for _, e := range []R{h, l} {
		VPADDD(g.constant(127), e, e)
		VPSLLD(U8(23), e, e)
		p = g.mul(p, e)
	}
	return p
}

func (g *x86) addTo(acc, x V)         { VADDPD(x.(Op), acc.(Op), acc.(Op)) }
func (g *x86) addProduct(acc, a, b V) { VFMADD231PD(a.(Op), b.(Op), acc.(Op)) }
func (g *x86) mulBy(a, b V)           { VMULPD(b.(Op), a.(Op), a.(Op)) }
