package main

import "math"

// V is a vector, in a register or, as a constant, where instructions read it.
type V any

// M is a mask of the lanes of a vector.
type M any

// machine emits code for one instruction set.
type machine interface {
	// load is the constant f in a register, k where an instruction reads it as its last operand, kb the same by its bits.
	load(f float64) V
	k(f float64) V
	kb(bits uint32) V
	zero() V
	add(a, b V) V
	sub(a, b V) V
	mul(a, b V) V
	div(a, b V) V
	// max is a > b ? a : b, min is a < b ? a : b: a NaN gives b when it is b.
	max(a, b V) V
	min(a, b V) V
	nanMax(a, b V) V // NaN when either is
	nanMin(a, b V) V
	and(a, b V) V
	or(a, b V) V
	abs(a V) V
	neg(a V) V
	sqrt(a V) V
	fma(a, b, c V) V        // a*b + c
	fnma(a, b, c V) V       // c - a*b
	horner(p, x, c V) V     // p*x + c; p is of no use after it
	cmp(pred int, a, b V) M // where a pred b
	sel(m M, t, f V) V      // t where m, else f
	keep(m M, a V) V        // a where m, else 0
	round(a V) V            // to the nearest integer
	scale(p, n V) V         // p·2^n for integers n of exp; p is of no use after it
	addTo(acc, x V)         // acc += x in float64
	addProduct(acc, a, b V) // acc += a*b in float64
	mulBy(a, b V)           // a *= b in float64
}

// gen has what is made of the instructions of a machine; the bodies of kernels are written once in its terms.
type gen struct{ machine }

// Comparison predicates, as VCMPPS has them.
const (
	unordered = 0x03
	less      = 0x11
	lessEq    = 0x12
	greaterEq = 0x1d
	greater   = 0x1e
)

// withSign is |a| with the sign of s; a must not be negative.
func (g *gen) withSign(a, s V) V { return g.or(a, g.and(s, g.kb(0x80000000))) }

// poly is c[0] + c[1]*x + …
func (g *gen) poly(x V, c ...float64) V {
	p := g.load(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		p = g.horner(p, x, g.k(c[i]))
	}
	return p
}

// exp is e^x: x = n ln 2 + r, a polynomial of degree 6 in r, and the scale 2^n.
func (g *gen) exp(x V) V {
	// A NaN passes as the second operand.
	x = g.max(g.load(-104), x)
	x = g.min(g.load(89), x)
	n := g.round(g.mul(x, g.k(math.Log2E)))
	const ln2hi = 0.693359375
	r := g.fnma(n, g.k(ln2hi), x)
	r = g.fnma(n, g.k(math.Ln2-ln2hi), r)
	p := g.poly(r, 0.5, 0.166665778, 0.0416665561, 0.00836317334, 0.00139261759)
	p = g.horner(p, g.mul(r, r), r)
	p = g.add(p, g.k(1))
	return g.scale(p, n)
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
