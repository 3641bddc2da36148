// Command elem writes elem_amd64.s, the elementwise, reducing and normalising loops on float32 slices for
// AVX2 and AVX-512, and elem_stubs_amd64.go, their declarations and tables; with -neon elem_arm64.s and elem_stubs_arm64.go.
//
//	go run ./elem -out ../elem_amd64.s -stubs ../elem_stubs_amd64.go -pkg kernel
//	go run ./elem -neon ../elem_arm64.s -neon-stubs ../elem_stubs_arm64.go
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// stream is a slice argument; the first one of a kernel gives the length.
type stream struct {
	name    string
	in, out bool
}

// kern is an elementwise loop: body maps the vectors of the inputs to those of the outputs.
type kern struct {
	name    string
	streams []stream
	scalars []string
	many    bool // too many scalars to keep in registers
	unroll  int
	body    func(g *gen, in []V, s func(i int) V) []V
}

// args parses "out:o a:i y:io".
func args(s string) (l []stream) {
	for _, f := range strings.Fields(s) {
		name, mode, _ := strings.Cut(f, ":")
		l = append(l, stream{name, strings.Contains(mode, "i"), strings.Contains(mode, "o")})
	}
	return l
}

func signature(l []stream, scalars []string, ret string) string {
	var s []string
	for _, x := range l {
		s = append(s, x.name)
	}
	sig := "func(" + strings.Join(s, ", ") + " []float32"
	if len(scalars) > 0 {
		sig += ", " + strings.Join(scalars, ", ") + " float32"
	}
	return sig + ")" + ret
}

func begin(g *x86, name, sig string) {
	TEXT(name+g.suffix, NOSPLIT, sig)
	Pragma("noescape")
}

func addr(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// pointers loads the addresses of the streams and the length.
func pointers(l []stream) (p []reg.GPVirtual, n reg.GPVirtual) {
	for _, s := range l {
		p = append(p, Load(Param(s.name).Base(), GP64()).(reg.GPVirtual))
	}
	return p, Load(Param(l[0].name).Len(), GP64()).(reg.GPVirtual)
}

// tailMask prepares the mask of the first n lanes, 0 < n < lanes, of a vector of the given lanes.
func tailMask(evex bool, lanes int, n reg.GPVirtual) reg.Register {
	if evex {
		m, k := GP32(), K()
		MOVQ(n, reg.RCX)
		MOVL(U32(1), m)
		SHLL(reg.CL, m)
		DECL(m)
		KMOVW(m, k)
		return k
	}
	// A window of eight ones and eight zeros.
	t, i := GP64(), GP64()
	LEAQ(maskTable(), t)
	MOVQ(U32(8), i)
	SUBQ(n, i)
	var m R
	if lanes == 4 {
		m = XMM()
	} else {
		m = YMM()
	}
	VMOVUPS(Mem{Base: t, Index: i, Scale: 4}, m)
	return m
}

var maskMem *Mem

func maskTable() Mem {
	if maskMem == nil {
		m := GLOBL("elemMask", RODATA|NOPTR)
		for i := range 16 {
			v := U32(0)
			if i < 8 {
				v = 0xffffffff
			}
			DATA(4*i, v)
		}
		maskMem = &m
	}
	return *maskMem
}

func advance(ptrs []reg.GPVirtual, n reg.GPVirtual, lanes int) {
	for _, p := range ptrs {
		ADDQ(U32(4*lanes), p)
	}
	SUBQ(U32(lanes), n)
}

func (k kern) emit(g *x86) {
	begin(g, k.name, signature(k.streams, k.scalars, ""))
	var regs []R
	bc := func(i int) R {
		v := g.vec()
		VBROADCASTSS(addr(k.scalars[i]), v)
		return v
	}
	if !k.many {
		for i := range k.scalars {
			regs = append(regs, bc(i))
		}
	}
	s := func(i int) V {
		if k.many {
			return bc(i)
		}
		return regs[i]
	}
	ptrs, n := pointers(k.streams)
	L := g.lanes()
	step := func(u int) {
		var outs [][]V
		for j := range u {
			var in []V
			for i, x := range k.streams {
				if x.in {
					v := g.vec()
					VMOVUPS(Mem{Base: ptrs[i], Disp: 4 * L * j}, v)
					in = append(in, v)
				}
			}
			outs = append(outs, k.body(&gen{g}, in, s))
		}
		for j, o := range outs {
			for i, x := range k.streams {
				if x.out {
					VMOVUPS(o[0].(Op), Mem{Base: ptrs[i], Disp: 4 * L * j})
					o = o[1:]
				}
			}
		}
		advance(ptrs, n, u*L)
	}
	if k.unroll > 1 {
		Label("loop")
		CMPQ(n, U32(k.unroll*L))
		JL(LabelRef("single"))
		step(k.unroll)
		JMP(LabelRef("loop"))
	}
	Label("single")
	CMPQ(n, U32(L))
	JL(LabelRef("tail"))
	step(1)
	JMP(LabelRef("single"))
	Label("tail")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	m := tailMask(g.z, L, n)
	var in []V
	for i, x := range k.streams {
		if x.in {
			v := g.vec()
			if g.z {
				VMOVUPS_Z(Mem{Base: ptrs[i]}, m, v)
			} else {
				VMASKMOVPS(Mem{Base: ptrs[i]}, m, v)
			}
			in = append(in, v)
		}
	}
	o := k.body(&gen{g}, in, s)
	for i, x := range k.streams {
		if x.out {
			if g.z {
				VMOVUPS(o[0].(Op), m, Mem{Base: ptrs[i]})
			} else {
				VMASKMOVPS(o[0].(Op), m, Mem{Base: ptrs[i]})
			}
			o = o[1:]
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

func main() {
	asm, decl := flag.String("neon", "", "write NEON here instead"), flag.String("neon-stubs", "", "and its declarations here")
	flag.Parse()
	if *asm != "" {
		if err := writeNEON(*asm, *decl); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ConstraintExpr("!noasm")
	for _, g := range []*x86{{false, "AVX2"}, {true, "AVX512"}} {
		for _, k := range kernels {
			k.emit(g)
		}
		for _, r := range sums {
			r.emit(g)
		}
		extremum(g, "vmaxF32", VMAXPS)
		extremum(g, "vminF32", VMINPS)
		expSum(g)
		accumulate(g)
	}
	Generate()
}
