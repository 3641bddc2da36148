package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sum is a loop that adds up float64 terms: body maps the inputs, converted to float64, to one term per result.
// With mask, the first input counts where the last one is positive.
type sum struct {
	name    string
	streams []stream
	results int
	mask    bool
	abs     bool
	body    func(g *gen, acc []V, in []V)
}

var sums = []sum{
	{"vsumF32", args("a:i"), 1, false, false, func(g *gen, acc, in []V) { g.addTo(acc[0], in[0]) }},
	{"vabsSumF32", args("a:i"), 1, false, true, func(g *gen, acc, in []V) { g.addTo(acc[0], in[0]) }},
	{"vdotF32", args("a:i b:i"), 1, false, false, func(g *gen, acc, in []V) { g.addProduct(acc[0], in[0], in[1]) }},
	{"vsumDotF32", args("a:i b:i"), 2, false, false, sumDot},
	{"vsumDotMaskF32", args("a:i b:i m:i"), 2, true, false, sumDot},
	{"vsumDot3F32", args("a:i b:i c:i"), 2, false, false, func(g *gen, acc, in []V) {
		g.mulBy(in[0], in[1])
		sumDot(g, acc, []V{in[0], in[2]})
	}},
}

func sumDot(g *gen, acc, in []V) {
	g.addTo(acc[0], in[0])
	g.addProduct(acc[1], in[0], in[1])
}

func (r sum) emit(g *x86) {
	ret := " float64"
	if r.results == 2 {
		ret = " (s, t float64)"
	} else {
		ret = " (s float64)"
	}
	begin(g, r.name, signature(r.streams, nil, ret))
	ptrs, n := pointers(r.streams)
	const unroll = 4
	H := g.lanes() / 2
	// Independent accumulators hide the latency of the additions.
	var acc [unroll][]R
	for u := range acc {
		for range r.results {
			v := g.vec()
			zeroPD(g, v)
			acc[u] = append(acc[u], v)
		}
	}
	step := func(u int, load func(i int) R) {
		var in []R
		var h []R
		for i := range r.streams {
			h = append(h, load(i))
		}
		if r.abs {
			VANDPS(halfConst(g, 0x7fffffff), h[0], h[0])
		}
		if r.mask {
			z, m := g.half(), g.half()
			VXORPS(z, z, z)
			VCMPPS(U8(greater), z, h[len(h)-1], m)
			VANDPS(m, h[0], h[0])
			h = h[:len(h)-1]
		}
		for _, x := range h {
			v := g.vec()
			VCVTPS2PD(x, v)
			in = append(in, v)
		}
		r.body(&gen{g}, vectors(acc[u]), vectors(in))
	}
	at := func(u int) func(int) R {
		return func(i int) R {
			h := g.half()
			VMOVUPS(Mem{Base: ptrs[i], Disp: 4 * H * u}, h)
			return h
		}
	}
	Label("loop")
	CMPQ(n, U32(unroll*H))
	JL(LabelRef("single"))
	for u := range unroll {
		step(u, at(u))
	}
	advance(ptrs, n, unroll*H)
	JMP(LabelRef("loop"))
	Label("single")
	CMPQ(n, U32(H))
	JL(LabelRef("tail"))
	step(0, at(0))
	advance(ptrs, n, H)
	JMP(LabelRef("single"))
	Label("tail")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	m := tailMask(false, H, n)
	step(0, func(i int) R {
		h := g.half()
		VMASKMOVPS(Mem{Base: ptrs[i]}, m, h)
		return h
	})
	Label("done")
	for i := range r.results {
		VADDPD(acc[1][i], acc[0][i], acc[0][i])
		VADDPD(acc[3][i], acc[2][i], acc[2][i])
		VADDPD(acc[2][i], acc[0][i], acc[0][i])
		storeSum(g, acc[0][i], i)
	}
	VZEROUPPER()
	RET()
}

// vectors are registers as bodies take them.
func vectors(rs []R) (l []V) {
	for _, r := range rs {
		l = append(l, r)
	}
	return l
}

func zeroPD(g *x86, v R) {
	if g.z {
		VPXORD(v, v, v)
	} else {
		VXORPD(v, v, v)
	}
}

func halfConst(g *x86, bits uint32) R {
	h := g.half()
	VMOVUPS(g.constant(bits), h)
	return h
}

// storeSum adds the lanes of v and stores the sum as result i.
func storeSum(g *x86, v R, i int) {
	y := v.AsY().(R)
	if g.z {
		h := YMM()
		VEXTRACTF64X4(U8(1), v, h)
		y = YMM()
		VADDPD(v.AsY(), h, y)
	}
	x, s := XMM(), XMM()
	VEXTRACTF128(U8(1), y, x)
	VADDPD(y.AsX(), x, x)
	VPERMILPD(U8(1), x, s)
	VADDSD(s, x, x)
	Store(x, ReturnIndex(i))
}

// extremum writes the loop of the largest or smallest element of n ≥ lanes elements, NaN when there is one.
func extremum(g *x86, name string, op func(...Op)) {
	begin(g, name, "func(a []float32) float32")
	ptrs, n := pointers(args("a:i"))
	L := g.lanes()
	last := GP64()
	LEAQ(Mem{Base: ptrs[0], Index: n, Scale: 4, Disp: -4 * L}, last)
	acc, bad := []R{g.vec(), g.vec()}, g.zero().(R)
	for _, a := range acc {
		VMOVUPS(Mem{Base: ptrs[0]}, a)
	}
	nan := func(x R) {
		// A NaN plus anything stays; the mask of NaNs is collected as bits.
		if g.z {
			k := K()
			VCMPPS(U8(unordered), x, x, k)
			VMOVAPS(x, k, bad)
		} else {
			c := YMM()
			VCMPPS(U8(unordered), x, x, c)
			VORPS(c, bad, bad)
		}
	}
	step := func(u int, m Mem) {
		x := g.vec()
		VMOVUPS(m, x)
		op(x, acc[u], acc[u])
		nan(x)
	}
	Label("loop")
	CMPQ(n, U32(2*L))
	JL(LabelRef("single"))
	step(0, Mem{Base: ptrs[0]})
	step(1, Mem{Base: ptrs[0], Disp: 4 * L})
	advance(ptrs, n, 2*L)
	JMP(LabelRef("loop"))
	Label("single")
	CMPQ(n, U32(L))
	JL(LabelRef("last"))
	step(0, Mem{Base: ptrs[0]})
	advance(ptrs, n, L)
	JMP(LabelRef("single"))
	Label("last")
	// The last vector overlaps what was seen already.
	step(0, Mem{Base: last})
	op(acc[1], acc[0], acc[0])
	out := XMM()
	any := GP32()
	if g.z {
		k := K()
		VCMPPS(U8(unordered), bad, bad, k)
		KMOVW(k, any)
	} else {
		VMOVMSKPS(bad, any)
	}
	TESTL(any, any)
	JNZ(LabelRef("nan"))
	y := acc[0].AsY().(R)
	if g.z {
		h, t := YMM(), YMM()
		VEXTRACTF64X4(U8(1), acc[0], h)
		VMOVAPS(acc[0].AsY(), t)
		op(h, t, t)
		y = t
	}
	x, t := XMM(), XMM()
	VEXTRACTF128(U8(1), y, x)
	op(y.AsX(), x, x)
	VPERMILPD(U8(1), x, t)
	op(t, x, x)
	VMOVSHDUP(x, t)
	op(t, x, out)
	Store(out, ReturnIndex(0))
	VZEROUPPER()
	RET()
	Label("nan")
	q := GP32()
	MOVL(U32(0x7fc00000), q)
	VMOVD(q, out)
	Store(out, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// expSum writes out[i] = e^(a[i]-m) and returns the sum.
func expSum(g *x86) {
	begin(g, "vexpSumF32", "func(out, a []float32, m float32) (s float64)")
	mv := g.vec()
	VBROADCASTSS(addr("m"), mv)
	ptrs, n := pointers(args("out:o a:i"))
	L := g.lanes()
	acc := []R{g.vec(), g.vec()}
	zeroPD(g, acc[0])
	zeroPD(g, acc[1])
	add := func(e R) {
		h, d := g.half(), g.vec()
		if g.z {
			VEXTRACTF32X8(U8(1), e, h)
			VCVTPS2PD(e.AsY(), d)
		} else {
			VEXTRACTF128(U8(1), e, h)
			VCVTPS2PD(e.AsX(), d)
		}
		VADDPD(d, acc[0], acc[0])
		d = g.vec()
		VCVTPS2PD(h, d)
		VADDPD(d, acc[1], acc[1])
	}
	Label("loop")
	CMPQ(n, U32(L))
	JL(LabelRef("tail"))
	x := g.vec()
	VMOVUPS(Mem{Base: ptrs[1]}, x)
	e := (&gen{g}).exp(g.sub(x, mv)).(R)
	VMOVUPS(e, Mem{Base: ptrs[0]})
	add(e)
	advance(ptrs, n, L)
	JMP(LabelRef("loop"))
	Label("tail")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	m := tailMask(g.z, L, n)
	x = g.vec()
	if g.z {
		VMOVUPS_Z(Mem{Base: ptrs[1]}, m, x)
	} else {
		VMASKMOVPS(Mem{Base: ptrs[1]}, m, x)
	}
	e = g.keep(m, (&gen{g}).exp(g.sub(x, mv))).(R)
	if g.z {
		VMOVUPS(e, m, Mem{Base: ptrs[0]})
	} else {
		VMASKMOVPS(e, m, Mem{Base: ptrs[0]})
	}
	add(e)
	Label("done")
	VADDPD(acc[1], acc[0], acc[0])
	storeSum(g, acc[0], 0)
	VZEROUPPER()
	RET()
}

// accumulate writes acc[i] += float64(x[i]) for len(x) elements, a multiple of the lanes of a float64 vector.
func accumulate(g *x86) {
	begin(g, "vaccF32", "func(acc []float64, x []float32)")
	pa := Load(Param("acc").Base(), GP64())
	px := Load(Param("x").Base(), GP64()).(reg.GPVirtual)
	n := Load(Param("x").Len(), GP64()).(reg.GPVirtual)
	H := g.lanes() / 2
	Label("loop")
	CMPQ(n, U32(H))
	JL(LabelRef("done"))
	v := g.vec()
	VCVTPS2PD(Mem{Base: px}, v)
	VADDPD(Mem{Base: pa}, v, v)
	VMOVUPD(v, Mem{Base: pa})
	ADDQ(U32(8*H), pa)
	advance([]reg.GPVirtual{px}, n, H)
	JMP(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}
