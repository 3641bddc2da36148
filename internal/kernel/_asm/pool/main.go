// Command pool writes pool_amd64.s, the loops of pooling, and pool_stubs_amd64.go, their declarations.
//
//	go run ./pool -out ../pool_amd64.s -decl ../pool_stubs_amd64.go
package main

import (
	"flag"
	"fmt"
	"go/format"
	"os"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Byte offsets of the fields of the Go type poolTaps.
const (
	ptRows, ptN, ptExact, ptSrc, ptSrcRow, ptDst, ptDstRow = 0, 8, 16, 24, 32, 40, 48
	ptTaps, ptOff, ptNum, ptArg, ptArgDst, ptFirst, ptInit = 56, 64, 72, 80, 88, 96, 104
)

const (
	none          = 1 << 30 // poolNone
	prefetchAhead = 4096    // bytes
)

// Predicates of comparisons: greater, equal, of integers less.
const greater, equal, less = 0x1e, 0x00, 1

type isa struct {
	name  string
	lanes int
}

func (i isa) vec() reg.VecVirtual {
	if i.lanes == 16 {
		return ZMM()
	}
	return YMM()
}

var decls strings.Builder

// kernel is a function in work and the registers that its loops share.
type kernel struct {
	isa
	a                        reg.Register
	rows, n, j, t, src, dst  reg.GPVirtual
	argSrc, argDst, off, num reg.GPVirtual
	init, none               reg.VecVirtual
	mask                     reg.Register
	order                    []reg.VecVirtual // of the even lanes of two vectors
}

func field(a reg.Register, disp int) Mem { return Mem{Base: a, Disp: disp} }

func load(a reg.Register, disp int) reg.GPVirtual {
	r := GP64()
	MOVQ(field(a, disp), r)
	return r
}

func (i isa) begin(name string) *kernel {
	fmt.Fprintf(&decls, "\n//go:noescape\nfunc %s%s(a *poolTaps)\n", name, i.name)
	TEXT(name+i.name, NOSPLIT, "func(a *byte)")
	k := &kernel{isa: i}
	k.a = Load(Param("a"), GP64())
	k.rows, k.src, k.dst, k.off = load(k.a, ptRows), load(k.a, ptSrc), load(k.a, ptDst), load(k.a, ptOff)
	k.n, k.j, k.t = GP64(), GP64(), GP64()
	k.init = i.vec()
	VBROADCASTSS(field(k.a, ptInit), k.init)
	return k
}

// each writes the loop over rows and, in those, over parts of at most the given number of vectors; part gets their number, and k.mask is
// what the last of them has.
func (k *kernel) each(most int, advance func(), part func(nv int)) {
	Label("row")
	MOVQ(field(k.a, ptN), k.n)
	XORQ(k.j, k.j)
	Label("part")
	for nv := most; nv >= 1; nv-- {
		if nv > 1 {
			CMPQ(k.n, U32(uint32((nv-1)*k.lanes)))
			JLE(LabelRef(fmt.Sprintf("v%d", nv-1)))
		}
		last := GP64() // lanes of the last vector
		MOVQ(k.n, last)
		if nv > 1 {
			SUBQ(U32(uint32((nv-1)*k.lanes)), last)
		}
		if nv == most {
			all := GP64()
			MOVQ(U32(uint32(k.lanes)), all)
			CMPQ(last, all)
			CMOVQGT(all, last)
		}
		k.setMask(last)
		part(nv)
		if nv == most {
			ADDQ(U32(uint32(4*nv*k.lanes)), k.j)
			SUBQ(U32(uint32(nv*k.lanes)), k.n)
			JG(LabelRef("part"))
		}
		if nv > 1 {
			JMP(LabelRef("next"))
			Label(fmt.Sprintf("v%d", nv-1))
		}
	}
	Label("next")
	ADDQ(field(k.a, ptSrcRow), k.src)
	ADDQ(field(k.a, ptDstRow), k.dst)
	advance()
	DECQ(k.rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func (k *kernel) setMask(n reg.GPVirtual) {
	if k.lanes == 16 {
		m, w := GP64(), K()
		MOVQ(I32(-1), m)
		BZHIQ(n, m, m)
		KMOVW(m.As32(), w)
		k.mask = w
		return
	}
	t, m := GP64(), YMM()
	LEAQ(NewDataAddr(Symbol{Name: "poolMask", Static: true}, 32), t)
	SHLQ(Imm(2), n)
	SUBQ(n, t)
	VMOVUPS(Mem{Base: t}, m)
	k.mask = m
}

// taps writes the loop over the taps: f gets a register that holds the address of the first element.
func (k *kernel) taps(label string, f func(p reg.GPVirtual)) {
	XORQ(k.t, k.t)
	Label(label)
	p := GP64()
	MOVQ(Mem{Base: k.off, Index: k.t, Scale: 8}, p)
	ADDQ(k.j, p)
	f(p)
	INCQ(k.t)
	CMPQ(k.t, field(k.a, ptTaps))
	JL(LabelRef(label))
}

// at is the elements of vector v of a tap at p.
func (k *kernel) at(base, p reg.GPVirtual, v int) Mem {
	return Mem{Base: base, Index: p, Scale: 1, Disp: 4 * k.lanes * v}
}

// prefetch asks for what comes pages after the elements of a tap: the next rows of a plane that memory has yet to bring.
func (k *kernel) prefetch(p reg.GPVirtual, nv int) {
	for v := range nv {
		PREFETCHT0(k.at(k.src, p, v+prefetchAhead/4/k.lanes))
	}
}

// masked is the elements at m that the mask has.
func (k *kernel) masked(m Mem) reg.VecVirtual {
	v := k.vec()
	if k.lanes == 16 {
		VMOVUPS_Z(m, k.mask, v)
	} else {
		VMASKMOVPS(m, k.mask, v)
	}
	return v
}

// store writes v to m: in the last rows what the mask has, in others all, which is faster.
func (k *kernel) store(v reg.VecVirtual, m Mem, label string) {
	CMPQ(k.rows, field(k.a, ptExact))
	JLE(LabelRef(label + "masked"))
	VMOVUPS(v, m)
	JMP(LabelRef(label + "stored"))
	Label(label + "masked")
	if k.lanes == 16 {
		VMOVUPS(v, k.mask, m)
	} else {
		VMASKMOVPS(v, k.mask, m)
	}
	Label(label + "stored")
}

type op func(k *kernel, m Mem, acc reg.VecVirtual)

// maxNum passes a NaN of m over: the second operand of VMAXPS comes through where one is NaN.
func maxNum(k *kernel, m Mem, acc reg.VecVirtual) {
	v := k.vec()
	VMOVUPS(m, v)
	VMAXPS(acc, v, acc)
}

func add(_ *kernel, m Mem, acc reg.VecVirtual) { VADDPS(m, acc, acc) }

// fold writes poolXRows: dst[j] = f over the taps of src[off[t]+j], and init in the rest of a row's last vector.
func (i isa) fold(name string, f op, max bool) {
	k := i.begin(name + "Rows")
	k.each(4, func() {}, func(nv int) {
		var acc []reg.VecVirtual
		for range nv {
			v := k.vec()
			VMOVAPS(k.init, v)
			acc = append(acc, v)
		}
		k.taps(fmt.Sprintf("taps%d", nv), func(p reg.GPVirtual) {
			for v := range nv - 1 {
				f(k, k.at(k.src, p, v), acc[v])
			}
			k.prefetch(p, nv)
			m, last := k.at(k.src, p, nv-1), acc[nv-1]
			x := k.masked(m)
			switch {
			case !max:
				VADDPS(x, last, last)
			case k.lanes == 16:
				VMAXPS(last, x, k.mask, last)
			default:
				VMAXPS(last, x, last)
			}
		})
		if max && k.lanes == 8 {
			VBLENDVPS(k.mask, acc[nv-1], k.init, acc[nv-1])
		}
		for v := range nv {
			VMOVUPS(acc[v], k.at(k.dst, k.j, v))
		}
	})
}

// columns writes poolXColumns of stride 1 or 2: dst[j] = f over the taps of src[off[t]+stride*j].
func (i isa) columns(name string, f op, stride int) {
	k := i.begin(fmt.Sprintf("%sColumns%d", name, stride))
	k.setOrder(stride)
	k.each(2, func() {}, func(nv int) {
		var acc []reg.VecVirtual
		for range nv * stride {
			v := k.vec()
			VMOVAPS(k.init, v)
			acc = append(acc, v)
		}
		k.taps(fmt.Sprintf("taps%d", nv), func(p reg.GPVirtual) {
			if stride == 2 {
				ADDQ(k.j, p)
			}
			for v := range acc {
				f(k, k.at(k.src, p, v), acc[v])
			}
		})
		for v := range nv {
			r := k.evens(acc, v, stride)
			if v < nv-1 {
				VMOVUPS(r, k.at(k.dst, k.j, v))
			} else {
				k.store(r, k.at(k.dst, k.j, v), fmt.Sprintf("s%d", nv))
			}
		}
	})
}

func (k *kernel) setOrder(stride int) {
	if stride == 2 && k.lanes == 16 {
		v := ZMM()
		VMOVDQU32(NewDataAddr(Symbol{Name: "poolEvens", Static: true}, 0), v)
		k.order = []reg.VecVirtual{v}
	}
}

// evens is vector v of the outputs among the positions acc.
func (k *kernel) evens(acc []reg.VecVirtual, v, stride int) reg.VecVirtual {
	if stride == 1 {
		return acc[v]
	}
	a, b, r := acc[2*v], acc[2*v+1], k.vec()
	if k.lanes == 16 {
		VMOVDQA32(k.order[0], r)
		VPERMI2PS(b, a, r)
		return r
	}
	VSHUFPS(U8(0x88), b, a, r)
	VPERMPD(U8(0xd8), r, r)
	return r
}

// argRows writes poolArgRows: as poolMaxRows, and argDst[j] = num[t] + first + j, t the first tap that has the largest.
func (i isa) argRows() {
	k := i.begin("poolArgRows")
	k.argDst, k.num = load(k.a, ptArgDst), load(k.a, ptNum)
	first := load(k.a, ptFirst)
	iota := k.vec()
	VMOVUPS(NewDataAddr(Symbol{Name: "poolIota", Static: true}, 0), iota)
	k.none = k.constant(none)
	step := GP64()
	k.each(4, func() {
		ADDQ(field(k.a, ptDstRow), k.argDst)
		MOVQ(field(k.a, ptSrcRow), step)
		SHRQ(Imm(2), step)
		ADDQ(step, first)
	}, func(nv int) {
		var acc, arg []reg.VecVirtual
		for range nv {
			v, w := k.vec(), k.vec()
			VMOVAPS(k.init, v)
			VMOVAPS(k.none, w)
			acc, arg = append(acc, v), append(arg, w)
		}
		k.taps(fmt.Sprintf("taps%d", nv), func(p reg.GPVirtual) {
			n := k.vec()
			VPBROADCASTD(Mem{Base: k.num, Index: k.t, Scale: 4}, n)
			k.prefetch(p, nv)
			for v := range nv {
				var x reg.VecVirtual
				if v == nv-1 {
					x = k.masked(k.at(k.src, p, v))
				} else {
					x = k.vec()
					VMOVUPS(k.at(k.src, p, v), x)
				}
				if k.lanes == 16 {
					m := K()
					if v == nv-1 {
						VCMPPS(U8(greater), acc[v], x, k.mask, m)
					} else {
						VCMPPS(U8(greater), acc[v], x, m)
					}
					VMOVAPS(x, m, acc[v])
					VMOVDQA32(n, m, arg[v])
					continue
				}
				m := YMM()
				VCMPPS(U8(greater), acc[v], x, m)
				if v == nv-1 {
					VPAND(k.mask, m, m)
				}
				VBLENDVPS(m, x, acc[v], acc[v])
				VBLENDVPS(m, n, arg[v], arg[v])
			}
		})
		// first + j/4 + lane
		at, b := GP64(), k.vec()
		MOVQ(k.j, at)
		SHRQ(Imm(2), at)
		ADDQ(first, at)
		x := XMM()
		VMOVD(at.As32(), x)
		VPBROADCASTD(x, b)
		VPADDD(iota, b, b)
		for v := range nv {
			VPADDD(b, arg[v], arg[v])
			VMOVUPS(acc[v], k.at(k.dst, k.j, v))
			VMOVUPS(arg[v], k.at(k.argDst, k.j, v))
			if v < nv-1 {
				VPADDD(k.constant(uint32(k.lanes)), b, b)
			}
		}
	})
}

// argColumns writes poolArgColumns: the largest of src[off[t]+stride*j] and the smallest of arg at the same places that has it.
func (i isa) argColumns(stride int) {
	k := i.begin(fmt.Sprintf("poolArgColumns%d", stride))
	k.argSrc, k.argDst = load(k.a, ptArg), load(k.a, ptArgDst)
	k.none = k.constant(none)
	k.setOrder(stride)
	k.each(1, func() {
		ADDQ(field(k.a, ptSrcRow), k.argSrc)
		ADDQ(field(k.a, ptDstRow), k.argDst)
	}, func(nv int) {
		var acc, arg []reg.VecVirtual
		for range nv * stride {
			v, w := k.vec(), k.vec()
			VMOVAPS(k.init, v)
			VMOVAPS(k.none, w)
			acc, arg = append(acc, v), append(arg, w)
		}
		k.taps(fmt.Sprintf("taps%d", nv), func(p reg.GPVirtual) {
			if stride == 2 {
				ADDQ(k.j, p)
			}
			for v := range acc {
				x, w := k.vec(), k.vec()
				VMOVUPS(k.at(k.src, p, v), x)
				VMOVUPS(k.at(k.argSrc, p, v), w)
				if k.lanes == 16 {
					gt, eq := K(), K()
					VCMPPS(U8(greater), acc[v], x, gt)
					VCMPPS(U8(equal), acc[v], x, eq)
					VPCMPD(U8(less), arg[v], w, eq, eq)
					KORW(eq, gt, gt)
					VMOVAPS(x, gt, acc[v])
					VMOVDQA32(w, gt, arg[v])
					continue
				}
				gt, eq, lt := YMM(), YMM(), YMM()
				VCMPPS(U8(greater), acc[v], x, gt)
				VCMPPS(U8(equal), acc[v], x, eq)
				VPCMPGTD(w, arg[v], lt)
				VPAND(lt, eq, eq)
				VPOR(eq, gt, gt)
				VBLENDVPS(gt, x, acc[v], acc[v])
				VBLENDVPS(gt, w, arg[v], arg[v])
			}
		})
		for v := range nv {
			name := fmt.Sprintf("s%d%d", nv, v)
			k.store(k.evens(acc, v, stride), k.at(k.dst, k.j, v), name)
			k.store(k.evens(arg, v, stride), k.at(k.argDst, k.j, v), name+"a")
		}
	})
}

// constant is a vector of an integer.
func (k *kernel) constant(c uint32) reg.VecVirtual {
	g, x, v := GP32(), XMM(), k.vec()
	MOVL(U32(c), g)
	VMOVD(g, x)
	VPBROADCASTD(x, v)
	return v
}

func table(name string, values func(i int) U32) {
	GLOBL(name, RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, values(i))
	}
}

func main() {
	path := flag.String("decl", "", "file of the declarations")
	flag.Parse()
	ConstraintExpr("!noasm")
	table("poolMask", func(i int) U32 {
		if i < 8 {
			return 0xffffffff
		}
		return 0
	})
	table("poolEvens", func(i int) U32 { return U32(2 * i) })
	table("poolIota", func(i int) U32 { return U32(i) })
	for _, i := range []isa{{"AVX2", 8}, {"AVX512", 16}} {
		i.fold("poolMax", maxNum, true)
		i.fold("poolAdd", add, false)
		i.argRows()
		for s := 1; s <= 2; s++ {
			i.columns("poolMax", maxNum, s)
			i.columns("poolAdd", add, s)
			i.argColumns(s)
		}
	}
	if *path != "" {
		head := "// Code generated by _asm/pool. DO NOT EDIT.\n\n//go:build !noasm\n\npackage kernel\n"
		src, err := format.Source([]byte(head + decls.String()))
		if err == nil {
			err = os.WriteFile(*path, src, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	Generate()
}
