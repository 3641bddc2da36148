// Command gemm writes gemm_amd64.s: the micro-kernels of matrix multiplication, one per tile shape
// and instruction set, and gemm_stubs_amd64.go, their declarations and tables. With -pairs the elements
// are pairs of int16, whose products are summed in int32. With -neon it writes gemm_arm64.s and gemm_stubs_arm64.go.
//
//	go run ./gemm -out ../gemm_amd64.s -decl ../gemm_stubs_amd64.go
//	go run ./gemm -pairs -out ../pairs_amd64.s -decl ../pairs_stubs_amd64.go
//	go run ./gemm -neon ../gemm_arm64.s -neon-stubs ../gemm_stubs_arm64.go
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Byte offsets of the fields of the Go type tile.
const (
	offK, offA, offARS, offACS, offB, offBRS, offC, offCRS = 0, 8, 16, 24, 32, 40, 48, 56
	offFlags, offMask, offMaskVec, offRowBias, offColBias  = 64, 72, 80, 88, 96
	offAdd, offAddRS, offLo, offHi                         = 104, 112, 120, 124
	offKOff, offBV, offFrom, offFromRS                     = 128, 136, 168, 176
)

// Bits of tile.flags.
const (
	flagAcc, flagRowBias, flagColBias, flagAdd, flagClip, flagMask, flagFrom = 1, 2, 4, 8, 16, 32, 64
)

type isa struct {
	name   string
	lanes  int
	vec    []reg.VecPhysical
	shapes [][2]int // vectors, most rows
}

var (
	avx512 = isa{"512", 16, []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14,
		reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29,
		reg.Z30, reg.Z31,
	}, [][2]int{{1, 14}, {2, 14}, {3, 9}, {4, 6}}}
	avx2 = isa{"2", 8, []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14,
		reg.Y15,
	}, [][2]int{{1, 6}, {2, 6}}}
)

// ahead is how far before its use, in bytes, a packed A is fetched.
const ahead = 1024

// pairs: elements are pairs of int16.
var pairs bool

// family begins the names of the kernels.
func family() string {
	if pairs {
		return "pairs"
	}
	return "gemm"
}

func name(i isa, nv, mr int, kind string) string {
	return fmt.Sprintf("%s%s%sx%dx%d", family(), kind, i.name, mr, nv*i.lanes)
}

// plus adds x, which may be in memory, to acc.
func plus(x Op, acc reg.VecPhysical) {
	if pairs {
		VPADDD(x, acc, acc)
		return
	}
	VADDPS(x, acc, acc)
}

// Kinds of micro-kernels.
const (
	kindTile = "Tile"
	kindTaps = "Taps" // the vectors of B have addresses of their own, bv[v] + koff[p]
	kindPack = "Pack" // rows of A and vectors of B stand side by side: ars = 4, acs = 4·rows, brs = the bytes of the vectors
)

// packVectors is the number of vectors of the micro-kernels of packed operands.
const packVectors = 2

// tile is a micro-kernel.
func tile(i isa, nv, mr int, kind string) {
	taps := kind == kindTaps
	TEXT(name(i, nv, mr, kind), NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := reg.RDI
	MOVQ(NewParamAddr("t", 0), t)
	field := func(off int) Mem { return Mem{Base: t, Disp: off} }
	acc := func(r, v int) reg.VecPhysical { return i.vec[r*nv+v] }
	bv := i.vec[mr*nv : mr*nv+nv]
	bc := i.vec[mr*nv+nv:]
	if len(bc) > 2 {
		bc = bc[:2]
	}

	k, b, brs, ars, acs := reg.RCX, reg.RBX, reg.RDX, reg.RSI, reg.R8
	base := []reg.GPPhysical{reg.R9, reg.R10, reg.R11, reg.R12, reg.R13}[:(mr+2)/3]
	MOVQ(field(offC), b)
	MOVQ(field(offCRS), brs)
	LEAQ(Mem{Base: brs, Index: brs, Scale: 2}, k)
	for r := 0; r < mr; r += 3 {
		for j := 0; j < min(3, mr-r); j++ {
			m := Mem{Base: b}
			if j > 0 {
				m.Index, m.Scale = brs, uint8(j)
			}
			PREFETCHT0(m)
			if nv*i.lanes*4 > 64 {
				m.Disp = nv*i.lanes*4 - 4
				PREFETCHT0(m)
			}
		}
		ADDQ(k, b)
	}
	MOVQ(field(offARS), ars)
	MOVQ(field(offACS), acs)
	LEAQ(Mem{Base: ars, Index: ars, Scale: 2}, k)
	MOVQ(field(offA), base[0])
	for j := 1; j < len(base); j++ {
		LEAQ(Mem{Base: base[j-1], Index: k, Scale: 1}, base[j])
	}
	bs := []reg.GPPhysical{b, reg.R14, reg.R15, reg.R13}[:nv]
	if taps {
		for v := range nv {
			MOVQ(field(offBV+8*v), bs[v])
		}
		MOVQ(field(offKOff), brs)
	} else {
		MOVQ(field(offB), b)
		MOVQ(field(offBRS), brs)
	}
	MOVQ(field(offK), k)
	wide := i.lanes == 16
	last := reg.K1
	if wide {
		KMOVW(field(offMask), last)
	}
	for r := range mr {
		for v := range nv {
			if wide {
				VPXORD(acc(r, v), acc(r, v), acc(r, v))
			} else {
				VXORPS(acc(r, v), acc(r, v), acc(r, v))
			}
		}
	}
	TESTQ(k, k)
	JLE(LabelRef("epilogue"))

	if kind == kindPack {
		// Four steps at a time: addresses are constants, so that there is little beside the products.
		bytes := nv * i.lanes * 4
		step := func(u int) {
			for v := range nv {
				m := Mem{Base: b, Disp: u*bytes + v*i.lanes*4}
				if wide && v == nv-1 {
					VMOVUPS_Z(m, last, bv[v])
				} else {
					VMOVUPS(m, bv[v])
				}
			}
			for r := range mr {
				x := bc[r%len(bc)]
				VBROADCASTSS(Mem{Base: base[0], Disp: 4 * (u*mr + r)}, x)
				for v := range nv {
					VFMADD231PS(x, bv[v], acc(r, v))
				}
			}
		}
		const unroll = 4
		Label("four")
		CMPQ(k, Imm(unroll))
		JLT(LabelRef("single"))
		for d := 0; d < unroll*4*mr; d += 64 {
			PREFETCHT0(Mem{Base: base[0], Disp: ahead + d})
		}
		for u := range unroll {
			for d := 0; d < bytes; d += 64 {
				PREFETCHT0(Mem{Base: b, Disp: 2*ahead + u*bytes + d})
			}
			step(u)
		}
		ADDQ(U32(uint32(unroll*4*mr)), base[0])
		ADDQ(U32(uint32(unroll*bytes)), b)
		SUBQ(Imm(unroll), k)
		JMP(LabelRef("four"))
		Label("single")
		TESTQ(k, k)
		JLE(LabelRef("epilogue"))
		step(0)
		ADDQ(U32(uint32(4*mr)), base[0])
		ADDQ(U32(uint32(bytes)), b)
		DECQ(k)
		JMP(LabelRef("single"))
	} else {
		Label("loop")
		if taps {
			MOVQ(Mem{Base: brs}, reg.RAX)
			ADDQ(Imm(8), brs)
		}
		for v := range nv {
			m := Mem{Base: b, Disp: v * i.lanes * 4}
			if taps {
				m = Mem{Base: bs[v], Index: reg.RAX, Scale: 1}
			}
			if wide && v == nv-1 {
				VMOVUPS_Z(m, last, bv[v])
			} else {
				VMOVUPS(m, bv[v])
			}
		}
		if !taps {
			for d := 0; d < nv*i.lanes*4; d += 64 {
				PREFETCHT0(Mem{Base: b, Disp: 2*ahead + d})
			}
			ADDQ(brs, b)
		} else {
			// The columns beside these come next; each row of them is in another page, which no processor foresees.
			for v := range nv {
				PREFETCHT1(Mem{Base: bs[0], Index: reg.RAX, Scale: 1, Disp: (nv + v) * i.lanes * 4})
			}
		}
		PREFETCHT0(Mem{Base: base[0], Disp: ahead})
		for r := range mr {
			m := Mem{Base: base[r/3]}
			if r%3 > 0 {
				m.Index, m.Scale = ars, uint8(r%3)
			}
			x := bc[r%len(bc)]
			if pairs {
				x = bc[0]
			}
			VBROADCASTSS(m, x)
			for v := range nv {
				switch {
				case pairs && wide:
					VPDPWSSD(x, bv[v], acc(r, v))
				case pairs:
					VPMADDWD(x, bv[v], bc[1])
					plus(bc[1], acc(r, v))
				default:
					VFMADD231PS(x, bv[v], acc(r, v))
				}
			}
			if r%3 == 2 || r == mr-1 {
				ADDQ(acs, base[r/3])
			}
		}
		DECQ(k)
		JNZ(LabelRef("loop"))
	}

	Label("epilogue")
	flags := k
	MOVQ(field(offFlags), flags)
	// rows calls f with the address of every row of a matrix at field off with stride at field rs, in the two steps point and walk.
	p, rs := b, brs
	point := func(off, offRS int) { MOVQ(field(off), p); MOVQ(field(offRS), rs) }
	walk := func(f func(r int, row Mem)) {
		for r := range mr {
			f(r, Mem{Base: p})
			if r < mr-1 {
				ADDQ(rs, p)
			}
		}
	}
	rows := func(off, offRS int, f func(r int, row Mem)) { point(off, offRS); walk(f) }
	skip := func(bit uint32, name string) { TESTQ(U32(bit), flags); JZ(LabelRef(name)) }
	at := func(m Mem, v int) Mem { m.Disp += v * i.lanes * 4; return m }
	maskAt := func(v int) Mem { return Mem{Base: reg.R8, Disp: v * 32} }
	if !wide {
		MOVQ(field(offMaskVec), reg.R8)
	}
	addRow := func(r int, row Mem) {
		for v := range nv {
			switch {
			case wide && v == nv-1 && pairs:
				VPADDD(at(row, v), acc(r, v), last, acc(r, v))
			case wide && v == nv-1:
				VADDPS(at(row, v), acc(r, v), last, acc(r, v))
			case wide:
				plus(at(row, v), acc(r, v))
			default:
				VMOVUPS(maskAt(v), bv[0])
				VMASKMOVPS(at(row, v), bv[0], bc[0])
				plus(bc[0], acc(r, v))
			}
		}
	}
	section := func(bit uint32, end string, f func()) { skip(bit, end); f(); Label(end) }
	section(flagAcc, "noacc", func() {
		point(offC, offCRS)
		if !pairs {
			section(flagFrom, "nofrom", func() { point(offFrom, offFromRS) })
		}
		walk(addRow)
	})
	section(flagRowBias, "norow", func() {
		MOVQ(field(offRowBias), p)
		for r := range mr {
			VBROADCASTSS(Mem{Base: p, Disp: 4 * r}, bc[0])
			for v := range nv {
				plus(bc[0], acc(r, v))
			}
		}
	})
	section(flagColBias, "nocol", func() {
		MOVQ(field(offColBias), p)
		for v := range nv {
			m := Mem{Base: p, Disp: v * i.lanes * 4}
			switch {
			case wide && v == nv-1:
				VMOVUPS_Z(m, last, bv[v])
			case wide:
				VMOVUPS(m, bv[v])
			default:
				VMOVUPS(maskAt(v), bc[0])
				VMASKMOVPS(m, bc[0], bv[v])
			}
			for r := range mr {
				plus(bv[v], acc(r, v))
			}
		}
	})
	section(flagAdd, "noadd", func() { rows(offAdd, offAddRS, addRow) })
	clip := section
	if pairs {
		clip = func(uint32, string, func()) {}
	}
	clip(flagClip, "noclip", func() {
		for bound := range 2 {
			VBROADCASTSS(field(offLo+4*bound), bc[0])
			for r := range mr {
				for v := range nv {
					if bound == 0 { // the accumulator is the second source: NaN stays
						VMAXPS(acc(r, v), bc[0], acc(r, v))
					} else {
						VMINPS(acc(r, v), bc[0], acc(r, v))
					}
				}
			}
		}
	})
	if !wide {
		TESTQ(U32(flagMask), flags)
		JNZ(LabelRef("masked"))
	}
	rows(offC, offCRS, func(r int, row Mem) {
		for v := range nv {
			if wide && v == nv-1 {
				VMOVUPS(acc(r, v), last, at(row, v))
			} else {
				VMOVUPS(acc(r, v), at(row, v))
			}
		}
	})
	VZEROUPPER()
	RET()
	if !wide {
		Label("masked")
		rows(offC, offCRS, func(r int, row Mem) {
			for v := range nv {
				VMOVUPS(maskAt(v), bv[0])
				VMASKMOVPS(acc(r, v), bv[0], at(row, v))
			}
		})
		VZEROUPPER()
		RET()
	}
}

// kinds are those of the family.
func kinds() []string {
	if pairs {
		return []string{kindTile, kindTaps}
	}
	return []string{kindTile, kindTaps, kindPack}
}

// shapesOf are the shapes of a kind: vectors, most rows.
func shapesOf(i isa, kind string) [][2]int {
	if kind != kindPack {
		return i.shapes
	}
	for _, s := range i.shapes {
		if s[0] == packVectors {
			return [][2]int{s}
		}
	}
	return nil
}

func stubs(path string) {
	var w bytes.Buffer
	fmt.Fprint(&w, "// Code generated by _asm/gemm. DO NOT EDIT.\n\n//go:build !noasm\n\npackage kernel\n\n")
	for _, i := range []isa{avx2, avx512} {
		for _, kind := range kinds() {
			shapes := shapesOf(i, kind)
			for _, s := range shapes {
				for mr := 1; mr <= s[1]; mr++ {
					fmt.Fprintf(&w, "//go:noescape\nfunc %s(t *tile)\n\n", name(i, s[0], mr, kind))
				}
			}
			title, of := kind+"s", "[v-1][r-1] is the kernel of a tile of r rows and v vectors of %d columns.\n"
			if kind == kindTaps {
				title = kind
			}
			form := "[][]func(*tile)"
			if kind == kindPack {
				title, of, form = kind, "[r-1] is the kernel of a tile of r rows and 2 vectors of %d columns of packed operands.\n", "[]func(*tile)"
			}
			table := family() + title + i.name
			fmt.Fprintf(&w, "// %s"+of+"var %s = "+form+"{\n", table, i.lanes, table)
			for _, s := range shapes {
				if kind != kindPack {
					fmt.Fprint(&w, "{")
				}
				for mr := 1; mr <= s[1]; mr++ {
					fmt.Fprintf(&w, "%s,\n", name(i, s[0], mr, kind))
				}
				if kind != kindPack {
					fmt.Fprint(&w, "},\n")
				}
			}
			fmt.Fprint(&w, "}\n\n")
		}
	}
	b, err := format.Source(w.Bytes())
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	path := flag.String("decl", "", "file of the declarations")
	flag.BoolVar(&pairs, "pairs", false, "elements are pairs of int16")
	arm, armDecl := flag.String("neon", "", "write NEON here instead"), flag.String("neon-stubs", "", "and its declarations here")
	flag.Parse()
	if *arm != "" {
		if err := writeNEON(*arm, *armDecl); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ConstraintExpr("!noasm")
	for _, i := range []isa{avx2, avx512} {
		for _, kind := range kinds() {
			for _, s := range shapesOf(i, kind) {
				for mr := 1; mr <= s[1]; mr++ {
					tile(i, s[0], mr, kind)
				}
			}
		}
	}
	if *path != "" {
		stubs(*path)
	}
	Generate()
}
