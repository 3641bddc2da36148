// Command wino writes wino_amd64.s: the transforms of Winograd's convolution F(4×4, 3×3) and the way from positions with the
// channels side by side back to planes, and wino_stubs_amd64.go, their declarations.
//
//	go run ./wino -out ../wino_amd64.s -decl ../wino_stubs_amd64.go
package main

import (
	"flag"
	"fmt"
	"go/format"
	"math"
	"os"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/gtk-onnx/gtk/internal/kernel/_asm/transpose"
)

// Byte offsets of the fields of the Go type winoArgs.
const (
	offSrc, offSrcRow, offSrcCol, offSrcNext = 0, 8, 16, 24
	offDst, offDstRow, offDstCol, offDstNext = 32, 40, 48, 56
	offN, offTmp, offBias, offLimits         = 64, 72, 80, 88
)

type isa struct {
	name  string
	lanes int
	vec   []reg.VecPhysical
}

var (
	decls    strings.Builder
	declared = map[string]bool{} // constants
)

// function begins a function; sig is its Go signature, in which types of the package are written as they are.
func function(name, sig string) {
	fmt.Fprintf(&decls, "\n//go:noescape\nfunc %s%s\n", name, sig)
	TEXT(name, NOSPLIT, "func"+strings.ReplaceAll(sig, "*winoArgs", "*byte"))
}

func at(base reg.Register, disp int) Mem { return Mem{Base: base, Disp: disp} }

func indexed(base, index reg.Register, scale uint8) Mem {
	return Mem{Base: base, Index: index, Scale: scale}
}

// strides addresses base + k·stride for k of 0 to 5.
type strides struct{ base, one, three, five reg.Register }

func (s strides) at(k int) Mem {
	switch k {
	case 0:
		return at(s.base, 0)
	case 3:
		return indexed(s.base, s.three, 1)
	case 5:
		return indexed(s.base, s.five, 1)
	default:
		return indexed(s.base, s.one, uint8(k))
	}
}

// prepare sets the multiples of the stride.
func (s strides) prepare() {
	LEAQ(indexed(s.one, s.one, 2), s.three.(reg.GPPhysical))
	LEAQ(indexed(s.one, s.one, 4), s.five.(reg.GPPhysical))
}

var half, root = math.Sqrt2 / 2, math.Sqrt2

// transform is one of the matrices, applied to columns and then to rows: in values to out values.
type transform struct {
	name, doc string
	in, out   int
	constants []float64
	// one is the transform of the vectors v[0:in], with c the constants and f free vectors; the result is where it says.
	one func(v, c, f []reg.VecPhysical) []reg.VecPhysical
	// finish has a bias and limits after the last pass.
	finish bool
}

var transforms = []transform{
	{"In", "Bᵀ d B of 6×6 inputs", 6, 6, []float64{2.5, 2, 0.5, root, half}, func(d, c, f []reg.VecPhysical) []reg.VecPhysical {
		c25, c2, c05, s, h := c[0], c[1], c[2], c[3], c[4]
		VADDPS(d[4], d[0], f[0])
		VFNMADD231PS(c25, d[2], f[0]) // d0 - 5/2 d2 + d4
		VMOVAPS(d[4], f[1])
		VFNMADD231PS(c2, d[2], f[1]) // d4 - 2 d2
		VFNMADD231PS(c05, d[2], d[4])
		VMULPS(s, d[1], f[2])
		VFMSUB231PS(h, d[3], f[2]) // d3/√2 - √2 d1
		VMULPS(h, d[1], f[3])
		VFMSUB231PS(s, d[3], f[3]) // √2 d3 - d1/√2
		VADDPS(d[1], d[5], d[5])
		VFNMADD231PS(c25, d[3], d[5]) // d1 - 5/2 d3 + d5
		VADDPS(f[2], f[1], d[0])
		VSUBPS(f[2], f[1], d[1])
		VADDPS(f[3], d[4], d[2])
		VSUBPS(f[3], d[4], d[3])
		return []reg.VecPhysical{f[0], d[0], d[1], d[2], d[3], d[5]}
	}, false},
	{"Out", "Aᵀ m A of 6×6 products", 6, 4, []float64{half, root, 0.5, 2, half / 2, 2 * root},
		func(m, c, f []reg.VecPhysical) []reg.VecPhysical {
			VADDPS(m[2], m[1], f[0])
			VSUBPS(m[2], m[1], m[1])
			VADDPS(m[4], m[3], f[1])
			VSUBPS(m[4], m[3], m[3])
			VADDPS(f[0], m[0], m[0])
			VADDPS(f[1], m[0], m[0])
			VMULPS(c[0], m[1], f[2])
			VFMADD231PS(c[1], m[3], f[2])
			VFMADD231PS(c[4], m[1], m[5])
			VFMADD231PS(c[5], m[3], m[5])
			VMULPS(c[2], f[0], f[0])
			VFMADD231PS(c[3], f[1], f[0])
			return []reg.VecPhysical{m[0], f[2], f[0], m[5]}
		}, true},
	{"Grad", "A dy Aᵀ of 4×4 gradients", 4, 6, []float64{half, root, 0.5, 2, half / 2, 2 * root},
		func(d, c, f []reg.VecPhysical) []reg.VecPhysical {
			VMOVAPS(d[0], f[0])
			VFMADD231PS(c[2], d[2], f[0]) // y0 + y2/2
			VMULPS(c[0], d[1], f[1])
			VFMADD231PS(c[4], d[3], f[1]) // y1/√2 + y3/2√2
			VMULPS(c[1], d[1], d[1])
			VFMADD231PS(c[5], d[3], d[1]) // √2 y1 + 2√2 y3
			VFMADD213PS(d[0], c[3], d[2]) // y0 + 2 y2
			VADDPS(f[1], f[0], f[2])
			VSUBPS(f[1], f[0], f[0])
			VADDPS(d[1], d[2], f[1])
			VSUBPS(d[1], d[2], d[2])
			return []reg.VecPhysical{d[0], f[2], f[0], f[1], d[2], d[3]}
		}, false},
	{"Weights", "G g Gᵀ of 3×3 weights", 3, 6, []float64{-2. / 3, -1. / 3, root / 3, 1. / 6, 1. / 3, root / 6},
		func(g, c, f []reg.VecPhysical) []reg.VecPhysical {
			VMULPS(c[0], g[0], f[0])
			VFMADD231PS(c[1], g[2], f[0])
			VMULPS(c[3], g[0], f[1])
			VFMADD231PS(c[4], g[2], f[1])
			VMULPS(c[2], g[1], f[2])
			VMULPS(c[5], g[1], f[3])
			VSUBPS(f[2], f[0], g[1])
			VADDPS(f[2], f[0], f[0])
			VADDPS(f[3], f[1], f[2])
			VSUBPS(f[3], f[1], f[1])
			return []reg.VecPhysical{g[0], g[1], f[0], f[2], f[1], g[2]}
		}, false},
	{"Back", "Gᵀ u G of 6×6 sums", 6, 3, []float64{2. / 3, 1. / 6, root / 3, root / 6, 1. / 3},
		func(m, c, f []reg.VecPhysical) []reg.VecPhysical {
			VADDPS(m[2], m[1], f[0])
			VSUBPS(m[2], m[1], m[1])
			VADDPS(m[4], m[3], f[1])
			VSUBPS(m[4], m[3], m[3])
			VFNMADD231PS(c[0], f[0], m[0])
			VFMADD231PS(c[1], f[1], m[0])
			VMULPS(c[3], m[3], m[3])
			VFNMADD231PS(c[2], m[1], m[3])
			VSUBPS(f[0], f[1], f[1])
			VFMADD231PS(c[4], f[1], m[5])
			return []reg.VecPhysical{m[0], m[3], m[5]}
		}, false},
}

const winoSize = 6

// begin writes the function called name, which does body n times, with the constants of t in registers; srcCol is in RSI, dstRow in R14,
// tmp in R15.
func begin(name string, i isa, t transform, body func(src, dst strides, c, free []reg.VecPhysical)) {
	function(name, "(a *winoArgs)")
	a := reg.RDI
	MOVQ(NewParamAddr("a", 0), a)
	src := strides{reg.R8, reg.RDX, reg.R9, reg.R10}
	dst := strides{reg.R11, reg.RBX, reg.R12, reg.R13}
	srcCol, dstRow, tmp, n := reg.RSI, reg.R14, reg.R15, reg.RCX
	MOVQ(at(a, offSrc), src.base.(reg.GPPhysical))
	MOVQ(at(a, offSrcRow), src.one.(reg.GPPhysical))
	MOVQ(at(a, offSrcCol), srcCol)
	MOVQ(at(a, offDst), dst.base.(reg.GPPhysical))
	MOVQ(at(a, offDstRow), dstRow)
	MOVQ(at(a, offDstCol), dst.one.(reg.GPPhysical))
	MOVQ(at(a, offN), n)
	MOVQ(at(a, offTmp), tmp)
	src.prepare()
	dst.prepare()
	// The constants stand in the highest registers of AVX2, the free ones below them.
	c := i.vec[16-len(t.constants) : 16]
	for k, v := range t.constants {
		name := fmt.Sprintf("wino%s%s%d", t.name, i.name, k)
		if !declared[name] {
			declared[name] = true
			GLOBL(name, RODATA|NOPTR)
			DATA(0, F32(float32(v)))
		}
		VBROADCASTSS(NewDataAddr(Symbol{Name: name, Static: true}, 0), c[k])
	}
	free := i.vec[6 : 16-len(t.constants)]
	if len(free) < 4 {
		panic("no free vectors")
	}
	Label("tile")
	body(src, dst, c, free)
	ADDQ(at(a, offSrcNext), src.base)
	ADDQ(at(a, offDstNext), dst.base)
	DECQ(n)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// write is the function of a transform: columns first, through tmp, then rows.
func (t transform) write(i isa) {
	begin("wino"+t.name+i.name, i, t, func(src, dst strides, c, free []reg.VecPhysical) { t.both(i, src, dst, c, free) })
}

func (t transform) both(i isa, src, dst strides, c, free []reg.VecPhysical) {
	a, srcCol, dstRow, tmp := reg.RDI, reg.RSI, reg.R14, reg.R15
	bytes := 4 * i.lanes
	for j := range t.in {
		for k := range t.in {
			VMOVUPS(src.at(k), i.vec[k])
		}
		for k, v := range t.one(i.vec[:t.in], c, free) {
			VMOVUPS(v, at(tmp, (k*t.in+j)*bytes))
		}
		ADDQ(srcCol, src.base)
	}
	for k := range t.out {
		for j := range t.in {
			VMOVUPS(at(tmp, (k*t.in+j)*bytes), i.vec[j])
		}
		out := t.one(i.vec[:t.in], c, free)
		if t.finish {
			// A vector that holds nothing any more takes the bias and the limits.
			x := i.vec[2]
			MOVQ(at(a, offBias), reg.RAX)
			TESTQ(reg.RAX, reg.RAX)
			JZ(LabelRef(fmt.Sprintf("plain%d", k)))
			VMOVUPS(at(reg.RAX, 0), x)
			for _, v := range out {
				VADDPS(x, v, v)
			}
			Label(fmt.Sprintf("plain%d", k))
			MOVQ(at(a, offLimits), reg.RAX)
			TESTQ(reg.RAX, reg.RAX)
			JZ(LabelRef(fmt.Sprintf("whole%d", k)))
			VBROADCASTSS(at(reg.RAX, 0), x)
			for _, v := range out {
				VMAXPS(v, x, v) // the second operand, v, is the result where it is NaN
			}
			VBROADCASTSS(at(reg.RAX, 4), x)
			for _, v := range out {
				VMINPS(v, x, v)
			}
			Label(fmt.Sprintf("whole%d", k))
		}
		for j, v := range out {
			VMOVUPS(v, dst.at(j))
		}
		ADDQ(dstRow, dst.base)
	}
}

// weightRows are the functions of one row of Weights each, with the same bits, for weights that are transformed a row at a time.
func weightRows(i isa) {
	t := transforms[3]
	for row := range winoSize {
		begin(fmt.Sprintf("winoWeights%sRow%d", i.name, row), i, t, func(src, dst strides, c, free []reg.VecPhysical) {
			for j := range t.in {
				v, g := i.vec[j], i.vec[3:6]
				switch row {
				case 0:
					VMOVUPS(src.at(0), v)
				case 5:
					VMOVUPS(src.at(2), v)
				default:
					for k := range g {
						VMOVUPS(src.at(k), g[k])
					}
					part := c[:3]
					if row > 2 {
						part = c[3:]
					}
					first, last, middle := part[0], part[1], part[2]
					VMULPS(first, g[0], free[0])
					VFMADD231PS(last, g[2], free[0])
					VMULPS(middle, g[1], free[2])
					if row == 1 || row == 4 {
						VSUBPS(free[2], free[0], v)
					} else {
						VADDPS(free[2], free[0], v)
					}
				}
				ADDQ(reg.RSI, src.base)
			}
			for j, v := range t.one(i.vec[:t.in], c, free) {
				VMOVUPS(v, dst.at(j))
			}
			ADDQ(reg.R14, dst.base)
		})
	}
	table("winoWeights"+i.name+"Rows", "winoWeights"+i.name+"Row")
}

// backRows are the functions of one row each of Back, which add what it gives to the 3×3 sums.
func backRows(i isa) {
	t := transforms[4]
	g := [6][3]float64{{1}, {-2. / 3, -root / 3, -1. / 3}, {-2. / 3, root / 3, -1. / 3}, {1. / 6, root / 6, 1. / 3},
		{1. / 6, -root / 6, 1. / 3}, {0, 0, 1}}
	for row := range winoSize {
		begin(fmt.Sprintf("winoBack%sRow%d", i.name, row), i, t, func(src, dst strides, c, free []reg.VecPhysical) {
			for j := range t.in {
				VMOVUPS(at(src.base, 0), i.vec[j])
				ADDQ(reg.RSI, src.base)
			}
			out := t.one(i.vec[:t.in], c, free)
			x, y := i.vec[1], i.vec[2] // hold nothing any more
			for k, v := range g[row] {
				if v != 0 {
					name := fmt.Sprintf("winoBack%sRow%dx%d", i.name, row, k)
					GLOBL(name, RODATA|NOPTR)
					DATA(0, F32(float32(v)))
					VBROADCASTSS(NewDataAddr(Symbol{Name: name, Static: true}, 0), x)
					for j, h := range out {
						VMOVUPS(dst.at(j), y)
						VFMADD231PS(h, x, y)
						VMOVUPS(y, dst.at(j))
					}
				}
				ADDQ(reg.R14, dst.base)
			}
		})
	}
	table("winoBack"+i.name+"Rows", "winoBack"+i.name+"Row")
}

// table declares the functions prefix0 to prefix5 as an array.
func table(name, prefix string) {
	fmt.Fprintf(&decls, "\nvar %s = [6]func(*winoArgs){", name)
	for row := range winoSize {
		fmt.Fprintf(&decls, "%s%d,", prefix, row)
	}
	fmt.Fprint(&decls, "}\n")
}

// put transposes positions, of which each has its channels side by side, into planes: for c < m and q < n
//
//	v := src[q*lanes+c]; if add != nil { v += add[c*ld+q] }; if limits != nil { v = min(max(v, limits[0]), limits[1]) }; dst[c*ld+q] = v
func put(i isa) {
	function("winoPut"+i.name, "(dst *float32, ld int, src *float32, n int, m int, add *float32, limits *float32)")
	param := func(name string, off int, r reg.GPPhysical) reg.GPPhysical {
		MOVQ(NewParamAddr(name, off), r)
		return r
	}
	dst, ld, src, n, m := param("dst", 0, reg.RDI), param("ld", 8, reg.RDX), param("src", 16, reg.RSI), param("n", 24, reg.RCX),
		param("m", 32, reg.R8)
	add, limits := param("add", 40, reg.R9), param("limits", 48, reg.R10)
	SHLQ(Imm(2), ld)
	wide := i.lanes == 16
	bytes := 4 * i.lanes
	Label("block")
	MOVQ(U32(uint32(i.lanes)), reg.RAX)
	CMPQ(n, reg.RAX)
	CMOVQLT(n, reg.RAX) // positions of this block
	if wide {
		MOVQ(I32(-1), reg.RBX)
		BZHIQ(reg.RAX, reg.RBX, reg.RBX)
		KMOVW(reg.EBX, reg.K1)
	}
	CMPQ(n, Imm(uint64(i.lanes)))
	JLT(LabelRef("few"))
	for r := range i.lanes {
		VMOVUPS(at(src, r*bytes), i.vec[r])
	}
	JMP(LabelRef("loaded"))
	Label("few")
	for r := range i.lanes - 1 {
		CMPQ(n, Imm(uint64(r)))
		JLE(LabelRef("loaded"))
		VMOVUPS(at(src, r*bytes), i.vec[r])
	}
	Label("loaded")
	if wide {
		transpose.Block16(i.vec)
	} else {
		transpose.Block8(i.vec)
		LEAQ(NewDataAddr(Symbol{Name: "winoMasks", Static: true}, 32), reg.RBX)
		SHLQ(Imm(2), reg.RAX)
		SUBQ(reg.RAX, reg.RBX)
		SHRQ(Imm(2), reg.RAX)
		VMOVUPS(at(reg.RBX, 0), i.vec[15])
	}
	lo, hi, x := i.vec[12], i.vec[13], i.vec[14]
	if wide {
		lo, hi, x = i.vec[29], i.vec[30], i.vec[31]
	}
	TESTQ(add, add)
	JZ(LabelRef("added"))
	MOVQ(add, reg.R11)
	if !wide {
		CMPQ(n, Imm(uint64(i.lanes)))
		JLT(LabelRef("addFew"))
		for c := range i.lanes {
			CMPQ(m, Imm(uint64(c)))
			JLE(LabelRef("added"))
			VADDPS(at(reg.R11, 0), i.vec[c], i.vec[c])
			ADDQ(ld, reg.R11)
		}
		JMP(LabelRef("added"))
		Label("addFew")
	}
	for c := range i.lanes {
		CMPQ(m, Imm(uint64(c)))
		JLE(LabelRef("added"))
		if wide {
			VADDPS(at(reg.R11, 0), i.vec[c], reg.K1, i.vec[c])
		} else {
			VMASKMOVPS(at(reg.R11, 0), i.vec[15], x)
			VADDPS(x, i.vec[c], i.vec[c])
		}
		ADDQ(ld, reg.R11)
	}
	Label("added")
	TESTQ(limits, limits)
	JZ(LabelRef("clipped"))
	VBROADCASTSS(at(limits, 0), lo)
	VBROADCASTSS(at(limits, 4), hi)
	for c := range i.lanes {
		VMAXPS(i.vec[c], lo, i.vec[c])
		VMINPS(i.vec[c], hi, i.vec[c])
	}
	Label("clipped")
	MOVQ(dst, reg.R11)
	if !wide { // masked stores take long on some processors
		CMPQ(n, Imm(uint64(i.lanes)))
		JLT(LabelRef("storeFew"))
		for c := range i.lanes {
			CMPQ(m, Imm(uint64(c)))
			JLE(LabelRef("stored"))
			VMOVUPS(i.vec[c], at(reg.R11, 0))
			ADDQ(ld, reg.R11)
		}
		JMP(LabelRef("stored"))
		Label("storeFew")
	}
	for c := range i.lanes {
		CMPQ(m, Imm(uint64(c)))
		JLE(LabelRef("stored"))
		if wide {
			VMOVUPS(i.vec[c], reg.K1, at(reg.R11, 0))
		} else {
			VMASKMOVPS(i.vec[c], i.vec[15], at(reg.R11, 0))
		}
		ADDQ(ld, reg.R11)
	}
	Label("stored")
	ADDQ(Imm(uint64(bytes)), dst)
	TESTQ(add, add)
	JZ(LabelRef("next"))
	ADDQ(Imm(uint64(bytes)), add)
	Label("next")
	ADDQ(U32(uint32(i.lanes*bytes)), src)
	SUBQ(Imm(uint64(i.lanes)), n)
	JG(LabelRef("block"))
	VZEROUPPER()
	RET()
}

func main() {
	path := flag.String("decl", "", "file of the declarations")
	flag.Parse()
	ConstraintExpr("!noasm")
	GLOBL("winoMasks", RODATA|NOPTR)
	for i := range 16 {
		v := U32(0)
		if i < 8 {
			v = 0xffffffff
		}
		DATA(4*i, v)
	}
	y := []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12,
		reg.Y13, reg.Y14, reg.Y15}
	z := []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12,
		reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26,
		reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}
	for _, i := range []isa{{"2", 8, y}, {"512", 16, z}} {
		for _, t := range transforms {
			t.write(i)
		}
		weightRows(i)
		backRows(i)
		put(i)
	}
	if *path != "" {
		head := "// Code generated by _asm/wino. DO NOT EDIT.\n\n//go:build !noasm\n\npackage kernel\n"
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
