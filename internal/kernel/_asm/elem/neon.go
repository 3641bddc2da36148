package main

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/internal/kernel/_asm/neon"
)

// arm is NEON.
type arm struct{ f *neon.Func }

func (g *arm) constant(bits uint32) neon.Reg { return g.f.Load(neon.Table, table.Const(bits)) }

func (g *arm) load(f float64) V { return g.constant(math.Float32bits(float32(f))) }
func (g *arm) k(f float64) V    { return g.load(f) }
func (g *arm) kb(bits uint32) V { return g.constant(bits) }
func (g *arm) zero() V          { return g.f.Word("movi #0", 0x6f00e400) }

func (g *arm) word(name string, base uint32, vs ...V) V {
	var src []neon.Reg
	for _, v := range vs {
		src = append(src, v.(neon.Reg))
	}
	return g.f.Word(name, base, src...)
}

func (g *arm) add(a, b V) V { return g.word("fadd.4s", 0x4e20d400, a, b) }
func (g *arm) sub(a, b V) V { return g.word("fsub.4s", 0x4ea0d400, a, b) }
func (g *arm) mul(a, b V) V { return g.word("fmul.4s", 0x6e20dc00, a, b) }
func (g *arm) div(a, b V) V { return g.word("fdiv.4s", 0x6e20fc00, a, b) }

// max and min give NaN when either is, which those of the bodies may.
func (g *arm) max(a, b V) V    { return g.word("fmax.4s", 0x4e20f400, a, b) }
func (g *arm) min(a, b V) V    { return g.word("fmin.4s", 0x4ea0f400, a, b) }
func (g *arm) nanMax(a, b V) V { return g.max(a, b) }
func (g *arm) nanMin(a, b V) V { return g.min(a, b) }
func (g *arm) and(a, b V) V    { return g.word("and.16b", 0x4e201c00, a, b) }
func (g *arm) or(a, b V) V     { return g.word("orr.16b", 0x4ea01c00, a, b) }
func (g *arm) abs(a V) V       { return g.word("fabs.4s", 0x4ea0f800, a) }
func (g *arm) neg(a V) V       { return g.word("fneg.4s", 0x6ea0f800, a) }
func (g *arm) sqrt(a V) V      { return g.word("fsqrt.4s", 0x6ea1f800, a) }
func (g *arm) round(a V) V     { return g.word("frintn.4s", 0x4e218800, a) }

func (g *arm) tied(name string, base uint32, acc, a, b V) V {
	return g.f.Tied(name, base, acc.(neon.Reg), a.(neon.Reg), b.(neon.Reg))
}

func (g *arm) fma(a, b, c V) V    { return g.tied("fmla.4s", 0x4e20cc00, c, a, b) }
func (g *arm) fnma(a, b, c V) V   { return g.tied("fmls.4s", 0x4ea0cc00, c, a, b) }
func (g *arm) horner(p, x, c V) V { return g.fma(p, x, c) }

func (g *arm) cmp(pred int, a, b V) M {
	switch pred {
	case less:
		return g.word("fcmgt.4s", 0x6ea0e400, b, a)
	case lessEq:
		return g.word("fcmge.4s", 0x6e20e400, b, a)
	case greaterEq:
		return g.word("fcmge.4s", 0x6e20e400, a, b)
	case greater:
		return g.word("fcmgt.4s", 0x6ea0e400, a, b)
	}
	panic("neon has no such comparison")
}

func (g *arm) sel(m M, t, f V) V { return g.tied("bsl.16b", 0x6e601c00, m, t, f) }
func (g *arm) keep(m M, a V) V   { return g.and(m, a) }

// scale multiplies twice by half of 2^n, since 2^n alone may be no normal number.
func (g *arm) scale(p, n V) V {
	i := g.word("fcvtns.4s", 0x4e21a800, n)
	h := g.word("sshr.4s #1", 0x4f3f0400, i)
	l := g.word("sub.4s", 0x6ea08400, i, h)
	for _, e := range []V{h, l} {
		e = g.word("add.4s", 0x4ea08400, e, g.constant(127))
		e = g.word("shl.4s #23", 0x4f375400, e)
		p = g.mul(p, e)
	}
	return p
}

func (g *arm) change(name string, base uint32, acc V, src ...V) {
	var s []neon.Reg
	for _, v := range src {
		s = append(s, v.(neon.Reg))
	}
	g.f.Change(name, base, acc.(neon.Reg), s...)
}

func (g *arm) addTo(acc, x V)         { g.change("fadd.2d", 0x4e60d400, acc, acc, x) }
func (g *arm) addProduct(acc, a, b V) { g.change("fmla.2d", 0x4e60cc00, acc, a, b) }
func (g *arm) mulBy(a, b V)           { g.change("fmul.2d", 0x6e60dc00, a, a, b) }

// table holds the constants of all functions.
var table = &neon.File{Name: "elemNEON"}

// argument offsets: streams are slices, scalars float32, results 8 bytes apart.
func (k kern) neonSize() int { return 24*len(k.streams) + 4*len(k.scalars) }

// enter loads the addresses of the streams, how many elements there are, and where the constants lie.
func enter(f *neon.Func, l []stream) (at []int) {
	for i, s := range l {
		f.Line("MOVD %s_base+%d(FP), R%d", s.name, 24*i, i)
		at = append(at, i)
	}
	f.Line("MOVD %s_len+8(FP), R%d", l[0].name, neon.Count)
	f.Line("MOVD $%s<>(SB), R%d", table.Name, neon.Table)
	return at
}

// broadcast is a scalar argument in all lanes, for good.
func broadcast(f *neon.Func, name string, off int) neon.Reg {
	r := f.Pin()
	f.Into(r, nil, func(d, _ []int) []string {
		return []string{fmt.Sprintf("FMOVS %s+%d(FP), F%d", name, off, d[0]), fmt.Sprintf("VDUP V%d.S[0], V%d.S4", d[0], d[0])}
	})
	return r
}

// pass moves the addresses on by n elements.
func pass(f *neon.Func, at []int, n int) {
	for _, r := range at {
		f.Line("ADD $%d, R%d", 4*n, r)
	}
	f.Line("SUB $%d, R%d", n, neon.Count)
}

// whole begins a loop over n elements at a time.
func whole(f *neon.Func, label, next string, n int) {
	f.Line("%s:", label)
	f.Line("CMP $%d, R%d", n, neon.Count)
	f.Line("BLT %s", next)
}

func (k kern) neon() {
	f := table.Func(k.name+"NEON", signature(k.streams, k.scalars, "")[4:], k.neonSize())
	g := &gen{&arm{f}}
	at := enter(f, k.streams)
	var regs []V
	for i, s := range k.scalars {
		regs = append(regs, broadcast(f, s, 24*len(k.streams)+4*i))
	}
	s := func(i int) V { return regs[i] }
	step := func(u int) {
		var outs [][]V
		for j := range u {
			var in []V
			for i, x := range k.streams {
				if x.in {
					in = append(in, f.Load(at[i], 16*j))
				}
			}
			outs = append(outs, k.body(g, in, s))
		}
		for j, o := range outs {
			for i, x := range k.streams {
				if x.out {
					f.Store(o[0].(neon.Reg), at[i], 16*j)
					o = o[1:]
				}
			}
		}
		pass(f, at, 4*u)
	}
	if k.unroll > 1 {
		whole(f, "loop", "single", 4*k.unroll)
		step(k.unroll)
		f.Line("B loop")
	}
	whole(f, "single", "tail", 4)
	step(1)
	f.Line("B single")
	f.Line("tail:")
	f.Line("CBZ R%d, done", neon.Count)
	var from, to []int
	for i, x := range k.streams {
		if x.in {
			from = append(from, at[i])
		}
		if x.out {
			to = append(to, at[i])
		}
	}
	var in []V
	for _, r := range f.LoadTail("tail", from) {
		in = append(in, r)
	}
	var out []neon.Reg
	for _, v := range k.body(g, in, s) {
		out = append(out, v.(neon.Reg))
	}
	f.StoreTail("tail", out, to)
	f.Line("done:")
	f.Line("RET")
	f.End()
}

// zeroed is a pinned vector of zeros.
func zeroed(f *neon.Func) neon.Reg {
	r := f.Pin()
	f.Into(r, nil, func(d, _ []int) []string {
		return []string{fmt.Sprintf("VEOR V%d.B16, V%d.B16, V%d.B16", d[0], d[0], d[0])}
	})
	return r
}

// doubles are the lower and the upper lanes of v in float64.
func doubles(f *neon.Func, v neon.Reg) (lo, hi neon.Reg) {
	return f.Word("fcvtl.2d", 0x0e617800, v), f.Word("fcvtl2.2d", 0x4e617800, v)
}

// total adds the accumulators, whose number is a power of two, and their lanes, and stores that as a result.
func total(f *neon.Func, acc []neon.Reg, result string) {
	for n := len(acc) / 2; n > 0; n /= 2 {
		for i := range n {
			f.Change("fadd.2d", 0x4e60d400, acc[i], acc[i], acc[i+n])
		}
	}
	f.Op(0, acc[:1], func(_, s []int) []string {
		return []string{word1("faddp.2d d", 0x7e70d800, s[0]), fmt.Sprintf("FMOVD F%d, %s(FP)", s[0], result)}
	})
}

// word1 is an instruction on a register in place.
func word1(name string, base uint32, r int) string {
	return fmt.Sprintf("WORD $0x%08x // %s v%d", base|uint32(r)<<5|uint32(r), name, r)
}

func (r sum) neon() {
	ret := " (s float64)"
	if r.results == 2 {
		ret = " (s, t float64)"
	}
	size := 24 * len(r.streams)
	f := table.Func(r.name+"NEON", signature(r.streams, nil, ret)[4:], size+8*r.results)
	g := &gen{&arm{f}}
	at := enter(f, r.streams)
	const sets = 4
	var acc [sets][]V
	for u := range acc {
		for range r.results {
			acc[u] = append(acc[u], zeroed(f))
		}
	}
	add := func(u int, in []neon.Reg) {
		if r.abs {
			in[0] = g.abs(in[0]).(neon.Reg)
		}
		if r.mask {
			in[0] = g.keep(g.cmp(greater, in[len(in)-1], g.zero()), in[0]).(neon.Reg)
			in = in[:len(in)-1]
		}
		var lo, hi []V
		for _, v := range in {
			l, h := doubles(f, v)
			lo, hi = append(lo, l), append(hi, h)
		}
		r.body(g, acc[2*u], lo)
		r.body(g, acc[2*u+1], hi)
	}
	step := func(u int) {
		for j := range u {
			var in []neon.Reg
			for _, b := range at {
				in = append(in, f.Load(b, 16*j))
			}
			add(j, in)
		}
		pass(f, at, 4*u)
	}
	whole(f, "loop", "single", 8)
	step(2)
	f.Line("B loop")
	whole(f, "single", "tail", 4)
	step(1)
	f.Line("B single")
	f.Line("tail:")
	f.Line("CBZ R%d, done", neon.Count)
	add(0, f.LoadTail("tail", at))
	f.Line("done:")
	for i := range r.results {
		var l []neon.Reg
		for u := range acc {
			l = append(l, acc[u][i].(neon.Reg))
		}
		total(f, l, fmt.Sprintf("%s+%d", [2]string{"s", "t"}[i], size+8*i))
	}
	f.Line("RET")
	f.End()
}

// neonExtremum is extremum: op gives NaN when either is, across is the same over the lanes of a vector.
func neonExtremum(name string, op, across uint32) {
	f := table.Func(name+"NEON", "(a []float32) float32", 28)
	at := enter(f, args("a:i"))
	f.Line("ADD R%d<<2, R0, R1", neon.Count)
	f.Line("SUB $16, R1") // the last vector, which overlaps what was seen already
	acc := []neon.Reg{f.Pin(), f.Pin()}
	f.LoadInto(acc[0], 0, 0)
	f.LoadInto(acc[1], 0, 0)
	step := func(u, base, off int) { f.Change(name, op, acc[u], acc[u], f.Load(base, off)) }
	whole(f, "loop", "single", 8)
	step(0, 0, 0)
	step(1, 0, 16)
	pass(f, at, 8)
	f.Line("B loop")
	whole(f, "single", "last", 4)
	step(0, 0, 0)
	pass(f, at, 4)
	f.Line("B single")
	f.Line("last:")
	step(0, 1, 0)
	f.Change(name, op, acc[0], acc[0], acc[1])
	f.Op(0, acc[:1], func(_, s []int) []string {
		return []string{word1(name+" across", across, s[0]), fmt.Sprintf("FMOVS F%d, ret+24(FP)", s[0])}
	})
	f.Line("RET")
	f.End()
}

func neonExpSum() {
	f := table.Func("vexpSumF32NEON", "(out, a []float32, m float32) (s float64)", 64)
	g := &gen{&arm{f}}
	at := enter(f, args("out:o a:i"))
	m := broadcast(f, "m", 48)
	acc := []neon.Reg{zeroed(f), zeroed(f)}
	add := func(e neon.Reg) {
		lo, hi := doubles(f, e)
		g.addTo(acc[0], lo)
		g.addTo(acc[1], hi)
	}
	whole(f, "loop", "tail", 4)
	e := g.exp(g.sub(f.Load(1, 0), m)).(neon.Reg)
	f.Store(e, 0, 0)
	add(e)
	pass(f, at, 4)
	f.Line("B loop")
	f.Line("tail:")
	f.Line("CBZ R%d, done", neon.Count)
	x := f.LoadTail("tail", at[1:])[0]
	e = g.exp(g.sub(x, m)).(neon.Reg)
	f.StoreTail("tail", []neon.Reg{e}, at[:1])
	// What is stored counts.
	add(f.LoadTail("stored", at[:1])[0])
	f.Line("done:")
	total(f, acc, "s+56")
	f.Line("RET")
	f.End()
}

func neonAccumulate() {
	f := table.Func("vaccF32NEON", "(acc []float64, x []float32)", 48)
	f.Line("MOVD acc_base+0(FP), R0")
	f.Line("MOVD x_base+24(FP), R1")
	f.Line("MOVD x_len+32(FP), R%d", neon.Count)
	whole(f, "loop", "done", 4)
	lo, hi := doubles(f, f.Load(1, 0))
	f.Store(f.Word("fadd.2d", 0x4e60d400, lo, f.Load(0, 0)), 0, 0)
	f.Store(f.Word("fadd.2d", 0x4e60d400, hi, f.Load(0, 16)), 0, 16)
	f.Line("ADD $32, R0")
	pass(f, []int{1}, 4)
	f.Line("B loop")
	f.Line("done:")
	f.Line("RET")
	f.End()
}

func writeNEON(asm, decl string) error {
	for _, k := range kernels {
		k.neon()
	}
	for _, r := range sums {
		r.neon()
	}
	neonExtremum("vmaxF32", 0x4e20f400, 0x6e30f800)
	neonExtremum("vminF32", 0x4ea0f400, 0x6eb0f800)
	neonExpSum()
	neonAccumulate()
	return table.Write(asm, decl, "_asm/elem -neon")
}
