// Command conv writes conv_amd64.s: packing, transposition, dot products and the depthwise kernels, and
// conv_stubs_amd64.go, their declarations.
//
//	go run ./conv -out ../conv_amd64.s -decl ../conv_stubs_amd64.go
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

var z = []reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
}

var y = []reg.VecPhysical{
	reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
}

var x = []reg.VecPhysical{reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7, reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15}

var decls strings.Builder

// function begins a function; sig is its Go signature, in which types of the package are written as they are.
func function(name, sig string) {
	fmt.Fprintf(&decls, "\n//go:noescape\nfunc %s%s\n", name, sig)
	for _, t := range []string{"*move", "*rowTaps", "*dotTile"} {
		sig = strings.ReplaceAll(sig, t, "*byte")
	}
	TEXT(name, NOSPLIT, "func"+sig)
}

func param(name string, r reg.GPPhysical) reg.GPPhysical {
	MOVQ(NewParamAddr(name, offsets[name]), r)
	return r
}

// offsets of the parameters of the function in work.
var offsets map[string]int

func params(names ...string) {
	offsets = map[string]int{}
	for i, n := range names {
		offsets[n] = 8 * i
	}
}

func at(base reg.Register, disp int) Mem { return Mem{Base: base, Disp: disp} }

func indexed(base, index reg.Register, scale uint8, disp int) Mem {
	return Mem{Base: base, Index: index, Scale: scale, Disp: disp}
}

// lanesMask sets k to the first n lanes, n in a register up to 16.
func lanesMask(n, tmp reg.GPPhysical, k reg.Register) {
	MOVQ(I32(-1), tmp)
	BZHIQ(n, tmp, tmp)
	KMOVW(tmp.As32(), k)
}

// packTaps takes the moves to one vector together, up to four: their loads merge in a register that is stored once.
func packTaps() {
	function("packTaps512", "(dst *float32, width int, src *float32, koff *int, k int, mv *move, n int)")
	params("dst", "width", "src", "koff", "k", "mv", "n")
	width, src, mv, n := param("width", reg.RDX), param("src", reg.RSI), param("mv", reg.R8), param("n", reg.R9)
	SHLQ(Imm(2), width)
	const size = 24 // of a move: src, dst, mask
	from := []reg.GPPhysical{reg.R10, reg.R11, reg.R12, reg.R13}
	masks := []reg.Register{reg.K1, reg.K2, reg.K3, reg.K4}
	dst, koff, k := reg.RDI, reg.RBX, reg.RCX
	param("dst", reg.R14)
	MOVQ(I32(-1), reg.R15) // destination of the moves before: a fifth move is added to what they stored
	Label("moves")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	MOVQ(at(mv, 8), dst)
	param("koff", koff)
	param("k", k)
	for m := range 4 {
		MOVQ(at(mv, m*size), from[m])
		ADDQ(src, from[m])
		MOVQ(at(mv, m*size+16), reg.RAX)
		KMOVW(reg.EAX, masks[m])
		if m == 3 {
			JMP(LabelRef("take4"))
			break
		}
		CMPQ(n, Imm(uint64(m+1)))
		JLE(LabelRef(fmt.Sprintf("take%d", m+1)))
		CMPQ(dst, at(mv, (m+1)*size+8))
		JNE(LabelRef(fmt.Sprintf("take%d", m+1)))
	}
	for moves := 1; moves <= 4; moves++ {
		name := fmt.Sprintf("take%d", moves)
		load := func(u int, fresh bool) {
			MOVQ(at(koff, 8*u), reg.RAX)
			for m := range moves {
				p := indexed(from[m], reg.RAX, 1, 0)
				if m == 0 && fresh {
					VMOVUPS_Z(p, masks[m], z[u])
				} else {
					VMOVUPS(p, masks[m], z[u])
				}
			}
		}
		Label(name)
		CMPQ(dst, reg.R15)
		MOVQ(dst, reg.R15)
		LEAQ(indexed(dst, reg.R14, 1, 0), dst)
		JEQ(LabelRef(name + "_add"))
		Label(name + "_two")
		CMPQ(k, Imm(2))
		JLT(LabelRef(name + "_one"))
		load(0, true)
		load(1, true)
		VMOVUPS(z[0], at(dst, 0))
		VMOVUPS(z[1], indexed(dst, width, 1, 0))
		LEAQ(indexed(dst, width, 2, 0), dst)
		ADDQ(Imm(16), koff)
		SUBQ(Imm(2), k)
		JMP(LabelRef(name + "_two"))
		Label(name + "_one")
		TESTQ(k, k)
		JLE(LabelRef(name + "_next"))
		load(0, true)
		VMOVUPS(z[0], at(dst, 0))
		JMP(LabelRef(name + "_next"))
		Label(name + "_add")
		VMOVUPS(at(dst, 0), z[0])
		load(0, false)
		VMOVUPS(z[0], at(dst, 0))
		ADDQ(width, dst)
		ADDQ(Imm(8), koff)
		DECQ(k)
		JNZ(LabelRef(name + "_add"))
		Label(name + "_next")
		ADDQ(Imm(uint64(moves*size)), mv)
		SUBQ(Imm(uint64(moves)), n)
		JMP(LabelRef("moves"))
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// packColumns transposes blocks of 16 × 16 in registers.
func packColumns() {
	function("packColumns512", "(dst *float32, width int, src *float32, ld int, rows int, k int)")
	params("dst", "width", "src", "ld", "rows", "k")
	width, ld, rows := param("width", reg.RDX), param("ld", reg.R8), param("rows", reg.R9)
	lanes := param("width", reg.R10) // left to write
	SHLQ(Imm(2), width)
	SHLQ(Imm(2), ld)
	Label("block") // 16 rows
	TESTQ(lanes, lanes)
	JLE(LabelRef("done"))
	MOVQ(U32(16), reg.RAX)
	CMPQ(lanes, reg.RAX)
	CMOVQLT(lanes, reg.RAX)
	lanesMask(reg.RAX, reg.RBX, reg.K2)
	src, dst, k := param("src", reg.RSI), param("dst", reg.RDI), param("k", reg.RCX)
	Label("columns")
	TESTQ(k, k)
	JLE(LabelRef("next"))
	MOVQ(U32(16), reg.RAX)
	CMPQ(k, reg.RAX)
	CMOVQLT(k, reg.RAX)
	lanesMask(reg.RAX, reg.RBX, reg.K1)
	for i := range 16 {
		VPXORD(z[i], z[i], z[i])
	}
	MOVQ(src, reg.R11)
	CMPQ(rows, Imm(16))
	JLT(LabelRef("few"))
	for i := range 16 {
		VMOVUPS_Z(at(reg.R11, 0), reg.K1, z[i])
		ADDQ(ld, reg.R11)
	}
	JMP(LabelRef("loaded"))
	Label("few")
	for i := range 15 {
		CMPQ(rows, Imm(uint64(i)))
		JLE(LabelRef("loaded"))
		VMOVUPS_Z(at(reg.R11, 0), reg.K1, z[i])
		ADDQ(ld, reg.R11)
	}
	Label("loaded")
	r, t := z[:16], z[16:]
	for i := range 8 {
		VUNPCKLPS(r[2*i+1], r[2*i], t[2*i])
		VUNPCKHPS(r[2*i+1], r[2*i], t[2*i+1])
	}
	for i := 0; i < 16; i += 4 {
		VUNPCKLPD(t[i+2], t[i], r[i])
		VUNPCKHPD(t[i+2], t[i], r[i+1])
		VUNPCKLPD(t[i+3], t[i+1], r[i+2])
		VUNPCKHPD(t[i+3], t[i+1], r[i+3])
	}
	for c := range 4 {
		VSHUFF32X4(U8(0x88), r[4+c], r[c], t[c])
		VSHUFF32X4(U8(0xdd), r[4+c], r[c], t[4+c])
		VSHUFF32X4(U8(0x88), r[12+c], r[8+c], t[8+c])
		VSHUFF32X4(U8(0xdd), r[12+c], r[8+c], t[12+c])
	}
	for c := range 4 {
		VSHUFF32X4(U8(0x88), t[8+c], t[c], r[c])
		VSHUFF32X4(U8(0xdd), t[8+c], t[c], r[8+c])
		VSHUFF32X4(U8(0x88), t[12+c], t[4+c], r[4+c])
		VSHUFF32X4(U8(0xdd), t[12+c], t[4+c], r[12+c])
	}
	CMPQ(k, Imm(16))
	JLT(LabelRef("tail"))
	for i := range 16 {
		VMOVUPS(r[i], reg.K2, at(dst, 0))
		ADDQ(width, dst)
	}
	ADDQ(Imm(64), src)
	SUBQ(Imm(16), k)
	JMP(LabelRef("columns"))
	Label("tail")
	for i := range 15 {
		CMPQ(k, Imm(uint64(i)))
		JLE(LabelRef("next"))
		VMOVUPS(r[i], reg.K2, at(dst, 0))
		ADDQ(width, dst)
	}
	Label("next")
	SUBQ(Imm(16), lanes)
	SUBQ(Imm(16), rows)
	MOVQ(NewParamAddr("dst", offsets["dst"]), reg.RDI)
	ADDQ(Imm(64), reg.RDI)
	MOVQ(reg.RDI, NewParamAddr("dst", offsets["dst"]))
	// The source moves on only while there are rows, so that it stays inside its slice.
	TESTQ(rows, rows)
	JLE(LabelRef("block"))
	MOVQ(ld, reg.RAX)
	SHLQ(Imm(4), reg.RAX)
	ADDQ(NewParamAddr("src", offsets["src"]), reg.RAX)
	MOVQ(reg.RAX, NewParamAddr("src", offsets["src"]))
	JMP(LabelRef("block"))
	Label("done")
	VZEROUPPER()
	RET()
}

func packRows() {
	function("packRows512", "(dst *float32, width int, src *float32, ld int, cols int, k int)")
	params("dst", "width", "src", "ld", "cols", "k")
	dst, width, src, ld, cols, k := param("dst", reg.RDI), param("width", reg.RDX), param("src", reg.RSI), param("ld", reg.R8), param("cols", reg.R9), param("k", reg.RCX)
	SHLQ(Imm(2), ld)
	Label("row")
	TESTQ(k, k)
	JLE(LabelRef("done"))
	MOVQ(src, reg.R10)
	MOVQ(cols, reg.R11)  // left to read
	MOVQ(width, reg.R12) // left to write
	Label("full")
	CMPQ(reg.R11, Imm(16))
	JLT(LabelRef("tail"))
	VMOVUPS(at(reg.R10, 0), z[0])
	VMOVUPS(z[0], at(dst, 0))
	ADDQ(Imm(64), reg.R10)
	ADDQ(Imm(64), dst)
	SUBQ(Imm(16), reg.R11)
	SUBQ(Imm(16), reg.R12)
	JMP(LabelRef("full"))
	Label("tail")
	TESTQ(reg.R12, reg.R12)
	JLE(LabelRef("next"))
	lanesMask(reg.R11, reg.RBX, reg.K1)
	MOVQ(U32(16), reg.RAX)
	CMPQ(reg.R12, reg.RAX)
	CMOVQLT(reg.R12, reg.RAX)
	lanesMask(reg.RAX, reg.RBX, reg.K2)
	VMOVUPS_Z(at(reg.R10, 0), reg.K1, z[0])
	VMOVUPS(z[0], reg.K2, at(dst, 0))
	LEAQ(indexed(dst, reg.RAX, 4, 0), dst)
	SUBQ(reg.RAX, reg.R12)
	XORQ(reg.R11, reg.R11)
	JMP(LabelRef("tail"))
	Label("next")
	ADDQ(ld, src)
	DECQ(k)
	JMP(LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}

// padRows copies rows of n floats, every one or every second, into wider rows of zeros from column first on.
// The columns go by 16 in the outer loop.
func padRows(step int) {
	function(fmt.Sprintf("padRows512s%d", step), "(dst *float32, width int, rows int, src *float32, srcRow int, first int, n int)")
	params("dst", "width", "rows", "src", "srcRow", "first", "n")
	width, srcRow, first := param("width", reg.RDX), param("srcRow", reg.R8), param("first", reg.R9)
	end := param("n", reg.R10)
	ADDQ(first, end)
	left := param("width", reg.R11)
	SHLQ(Imm(2), width)
	SHLQ(Imm(2), srcRow)
	if step == 2 {
		VMOVUPS(NewDataAddr(Symbol{Name: "evenLanes", Static: true}, 0), z[2])
	}
	// The source column of lane 0 may lie before the row; its lanes are masked.
	column := param("src", reg.R12)
	SHLQ(Imm(uint64(1+step)), first)
	SUBQ(first, column)
	SHRQ(Imm(uint64(1+step)), first)
	clamp := func(r reg.GPPhysical) { // to 0..16
		XORQ(reg.RBX, reg.RBX)
		TESTQ(r, r)
		CMOVQLT(reg.RBX, r)
		MOVQ(U32(16), reg.RBX)
		CMPQ(r, reg.RBX)
		CMOVQGT(reg.RBX, r)
	}
	Label("column")
	TESTQ(left, left)
	JLE(LabelRef("done"))
	MOVQ(I32(-1), reg.RSI)
	MOVQ(end, reg.RAX)
	clamp(reg.RAX)
	BZHIQ(reg.RAX, reg.RSI, reg.RCX) // lanes before the end
	MOVQ(first, reg.RAX)
	clamp(reg.RAX)
	BZHIQ(reg.RAX, reg.RSI, reg.RAX) // lanes before the first
	NOTQ(reg.RAX)
	ANDQ(reg.RAX, reg.RCX)
	if step == 1 {
		KMOVW(reg.ECX, reg.K1)
	} else {
		MOVQ(U32(0x55555555), reg.RAX)
		PDEPQ(reg.RAX, reg.RCX, reg.RCX)
		KMOVW(reg.ECX, reg.K1)
		SHRQ(Imm(16), reg.RCX)
		KMOVW(reg.ECX, reg.K3)
	}
	MOVQ(left, reg.RAX)
	clamp(reg.RAX)
	BZHIQ(reg.RAX, reg.RSI, reg.RAX)
	KMOVW(reg.EAX, reg.K2)
	dst, rows := param("dst", reg.RDI), param("rows", reg.RCX)
	MOVQ(column, reg.RAX)
	Label("row")
	VMOVUPS_Z(at(reg.RAX, 0), reg.K1, z[0])
	if step == 2 {
		VMOVUPS_Z(at(reg.RAX, 64), reg.K3, z[1])
		VMOVAPS(z[2], z[3])
		VPERMI2PS(z[1], z[0], z[3])
		VMOVUPS(z[3], reg.K2, at(dst, 0))
	} else {
		VMOVUPS(z[0], reg.K2, at(dst, 0))
	}
	ADDQ(srcRow, reg.RAX)
	ADDQ(width, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	ADDQ(U32(uint32(64*step)), column)
	ADDQ(Imm(64), NewParamAddr("dst", offsets["dst"]))
	SUBQ(Imm(16), first)
	SUBQ(Imm(16), end)
	SUBQ(Imm(16), left)
	JMP(LabelRef("column"))
	Label("done")
	VZEROUPPER()
	RET()
}

// evens is dst[2*i] = src[i].
func evens() {
	params("dst", "src", "n")
	function("putEven512", "(dst *float32, src *float32, n int)")
	dst, src, n := param("dst", reg.RDI), param("src", reg.RSI), param("n", reg.RCX)
	MOVL(U32(0x5555), reg.EDX)
	KMOVW(reg.EDX, reg.K3)
	Label("loop")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	MOVQ(U32(8), reg.RAX)
	CMPQ(n, reg.RAX)
	CMOVQLT(n, reg.RAX)
	lanesMask(reg.RAX, reg.RBX, reg.K1)
	ADDQ(reg.RAX, reg.RAX)
	BZHIQ(reg.RAX, reg.RDX, reg.RBX)
	KMOVW(reg.EBX, reg.K2)
	VMOVUPS_Z(at(src, 0), reg.K1, z[0])
	VEXPANDPS_Z(z[0], reg.K3, z[1])
	VMOVUPS(z[1], reg.K2, at(dst, 0))
	ADDQ(Imm(64), dst)
	ADDQ(Imm(32), src)
	SUBQ(Imm(8), n)
	JMP(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

type isa struct {
	name  string
	lanes int
	vec   []reg.VecPhysical
}

// tailMask prepares the mask of the first n lanes, n in a register, less or equal to the number of lanes.
func (i isa) tailMask(n, tmp reg.GPPhysical) {
	if i.lanes == 16 {
		lanesMask(n, tmp, reg.K1)
		return
	}
	LEAQ(NewDataAddr(Symbol{Name: "laneMasks", Static: true}, 32), tmp)
	SHLQ(Imm(2), n)
	SUBQ(n, tmp)
	SHRQ(Imm(2), n)
	VMOVUPS(at(tmp, 0), y[15])
}

func (i isa) load(m Mem, v reg.VecPhysical, masked bool) {
	switch {
	case !masked:
		VMOVUPS(m, v)
	case i.lanes == 16:
		VMOVUPS_Z(m, reg.K1, v)
	default:
		VMASKMOVPS(m, y[15], v)
	}
}

// fma is acc += a·m, with tmp free.
func (i isa) fma(m Mem, a, acc, tmp reg.VecPhysical, masked bool) {
	switch {
	case !masked:
		VFMADD231PS(m, a, acc)
	case i.lanes == 16:
		VFMADD231PS(m, a, reg.K1, acc)
	default:
		VMASKMOVPS(m, y[15], tmp)
		VFMADD231PS(tmp, a, acc)
	}
}

func (i isa) zero(v reg.VecPhysical) {
	if i.lanes == 16 {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// total leaves the sum of the lanes of vec[n] in its lowest lane; tmp is another register number below 16.
func (i isa) total(n, tmp int) {
	if i.lanes == 16 {
		VEXTRACTF32X8(U8(1), z[n], y[tmp])
		VADDPS(y[tmp], y[n], y[n])
	}
	VEXTRACTF128(U8(1), y[n], x[tmp])
	VADDPS(x[tmp], x[n], x[n])
	VMOVHLPS(x[n], x[tmp], x[tmp])
	VADDPS(x[tmp], x[n], x[n])
	VSHUFPS(U8(1), x[n], x[n], x[tmp])
	VADDSS(x[tmp], x[n], x[n])
}

func (i isa) dotRows() {
	function("dotRows"+i.name, "(k int, x *float32, mat *float32, ld int, n int, out *float32)")
	params("k", "x", "mat", "ld", "n", "out")
	mat, ld, n, out := param("mat", reg.RSI), param("ld", reg.RDX), param("n", reg.R9), param("out", reg.RDI)
	SHLQ(Imm(2), ld)
	bytes := 4 * i.lanes
	part := func(rows int, name string) {
		xp, k := param("x", reg.R8), param("k", reg.RCX)
		p := []reg.GPPhysical{reg.R10, reg.R11, reg.R12, reg.R13}[:rows]
		MOVQ(mat, p[0])
		for r := 1; r < rows; r++ {
			LEAQ(indexed(p[r-1], ld, 1, 0), p[r])
		}
		for r := range 2 * rows {
			i.zero(i.vec[r])
		}
		step := func(u int, masked bool) {
			v := i.vec[8+u]
			i.load(at(xp, u*bytes), v, masked)
			for r := range rows {
				i.fma(at(p[r], u*bytes), v, i.vec[2*r+u], i.vec[10], masked)
			}
		}
		advance := func(vecs int) {
			ADDQ(U32(uint32(vecs*bytes)), xp)
			for r := range rows {
				ADDQ(U32(uint32(vecs*bytes)), p[r])
			}
			SUBQ(U32(uint32(vecs*i.lanes)), k)
		}
		Label(name + "_two")
		CMPQ(k, Imm(uint64(2*i.lanes)))
		JLT(LabelRef(name + "_one"))
		step(0, false)
		step(1, false)
		advance(2)
		JMP(LabelRef(name + "_two"))
		Label(name + "_one")
		CMPQ(k, Imm(uint64(i.lanes)))
		JLT(LabelRef(name + "_tail"))
		step(0, false)
		advance(1)
		JMP(LabelRef(name + "_one"))
		Label(name + "_tail")
		TESTQ(k, k)
		JLE(LabelRef(name + "_sum"))
		i.tailMask(k, reg.RAX)
		step(0, true)
		Label(name + "_sum")
		for r := range rows {
			VADDPS(i.vec[2*r+1], i.vec[2*r], i.vec[2*r])
			i.total(2*r, 2*r+1)
			VMOVSS(x[2*r], at(out, 4*r))
		}
		ADDQ(Imm(uint64(4*rows)), out)
	}
	Label("rows")
	CMPQ(n, Imm(4))
	JLT(LabelRef("single"))
	part(4, "four")
	LEAQ(indexed(mat, ld, 4, 0), mat)
	SUBQ(Imm(4), n)
	JMP(LabelRef("rows"))
	Label("single")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	part(1, "one")
	ADDQ(ld, mat)
	DECQ(n)
	JMP(LabelRef("single"))
	Label("done")
	VZEROUPPER()
	RET()
}

// Byte offsets of the fields of the Go type rowTaps.
const (
	rtRows, rtN, rtSrc, rtSrcRow, rtDst, rtDstRow = 0, 8, 16, 24, 32, 40
	rtTaps, rtOff, rtW, rtAdd, rtFlags            = 48, 56, 64, 72, 80
	rtBias, rtLo, rtHi, rtSums                    = 88, 92, 96, 100
	flagAdd, flagClip                             = 8, 16
)

func (i isa) tapRows() {
	function("tapRows"+i.name, "(a *rowTaps)")
	params("a")
	a := param("a", reg.RDI)
	most := 4
	bytes := 4 * i.lanes
	rows, src, dst, add := reg.R8, reg.R9, reg.R10, reg.R11
	MOVQ(at(a, rtRows), rows)
	MOVQ(at(a, rtSrc), src)
	MOVQ(at(a, rtDst), dst)
	MOVQ(at(a, rtAdd), add)
	off, w := reg.R12, reg.R13
	MOVQ(at(a, rtOff), off)
	MOVQ(at(a, rtW), w)
	bias, weight, tmp := i.vec[8], i.vec[9], i.vec[10]
	VBROADCASTSS(at(a, rtBias), bias)
	n, j := reg.RCX, reg.RSI // elements left, byte position
	MOVQ(at(a, rtN), n)
	CMPQ(n, Imm(uint64(i.lanes)))
	JLE(LabelRef("narrow"))
	Label("row")
	TESTQ(rows, rows)
	JLE(LabelRef("done"))
	MOVQ(at(a, rtN), n)
	XORQ(j, j)
	Label("chunk")
	for nv := most; nv >= 1; nv-- {
		name := fmt.Sprintf("v%d", nv)
		if nv > 1 {
			CMPQ(n, Imm(uint64((nv-1)*i.lanes)))
			JLE(LabelRef(fmt.Sprintf("v%d", nv-1)))
		}
		c := reg.RDX // lanes of the last vector
		MOVQ(n, c)
		if nv > 1 {
			SUBQ(Imm(uint64((nv-1)*i.lanes)), c)
		}
		MOVQ(U32(uint32(i.lanes)), reg.RAX)
		CMPQ(c, reg.RAX)
		CMOVQGT(reg.RAX, c)
		i.tailMask(c, reg.RAX)
		for v := range nv {
			VMOVAPS(bias, i.vec[v])
		}
		t, p := reg.RBX, reg.RAX
		XORQ(t, t)
		Label(name + "_taps")
		CMPQ(t, at(a, rtTaps))
		JGE(LabelRef(name + "_end"))
		MOVQ(indexed(off, t, 8, 0), p)
		ADDQ(src, p)
		VBROADCASTSS(indexed(w, t, 4, 0), weight)
		for v := range nv {
			i.fma(indexed(p, j, 1, v*bytes), weight, i.vec[v], tmp, v == nv-1)
		}
		INCQ(t)
		JMP(LabelRef(name + "_taps"))
		Label(name + "_end")
		MOVQ(at(a, rtFlags), p)
		TESTQ(U32(flagAdd), p)
		JZ(LabelRef(name + "_noadd"))
		for v := range nv {
			i.load(indexed(add, j, 1, v*bytes), tmp, v == nv-1)
			VADDPS(tmp, i.vec[v], i.vec[v])
		}
		Label(name + "_noadd")
		TESTQ(U32(flagClip), p)
		JZ(LabelRef(name + "_noclip"))
		VBROADCASTSS(at(a, rtLo), tmp)
		for v := range nv {
			VMAXPS(i.vec[v], tmp, i.vec[v])
		}
		VBROADCASTSS(at(a, rtHi), tmp)
		for v := range nv {
			VMINPS(i.vec[v], tmp, i.vec[v])
		}
		Label(name + "_noclip")
		for v := range nv {
			m := indexed(dst, j, 1, v*bytes)
			switch {
			case v < nv-1:
				VMOVUPS(i.vec[v], m)
			case i.lanes == 16:
				VMOVUPS(i.vec[v], reg.K1, m)
			default:
				CMPQ(c, Imm(8))
				JLT(LabelRef(name + "_part"))
				VMOVUPS(i.vec[v], m)
				JMP(LabelRef(name + "_stored"))
				Label(name + "_part")
				VMASKMOVPS(i.vec[v], y[15], m)
				Label(name + "_stored")
			}
		}
		if nv == most {
			SUBQ(U32(uint32(nv*i.lanes)), n)
			JLE(LabelRef("next"))
			ADDQ(U32(uint32(nv*bytes)), j)
			JMP(LabelRef("chunk"))
		} else {
			JMP(LabelRef("next"))
		}
		if nv > 1 {
			Label(fmt.Sprintf("v%d", nv-1))
		}
	}
	Label("next")
	ADDQ(at(a, rtSrcRow), src)
	ADDQ(at(a, rtDstRow), dst)
	ADDQ(at(a, rtDstRow), add)
	DECQ(rows)
	JMP(LabelRef("row"))
	i.narrowRows(func() { Label("done") })
}

// narrowRows is the part of tapRows for rows of one vector: several rows at a time.
func (i isa) narrowRows(done func()) {
	a, rows, src, dst, add, off, w := reg.RDI, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13
	bias, weight, tmp := i.vec[8], i.vec[9], i.vec[10]
	n, stride, t, p, p3 := reg.RCX, reg.RSI, reg.RBX, reg.RAX, reg.RDX
	Label("narrow")
	i.tailMask(n, reg.RAX)
	most := []int{7, 4, 2, 1}
	for b, r := range most {
		name := fmt.Sprintf("n%d", r)
		next := "done"
		if b+1 < len(most) {
			next = fmt.Sprintf("n%d", most[b+1])
		}
		// each calls f with the address of every row of the block at p with the stride in a register.
		each := func(f func(row int, m Mem)) {
			for row := range r {
				base := p
				if row >= 3 {
					base = p3
				}
				if row == 3 {
					LEAQ(indexed(stride, stride, 2, 0), p3)
					ADDQ(p, p3)
				}
				if row == 6 {
					LEAQ(indexed(p3, stride, 1, 0), p3)
					f(row, indexed(p3, stride, 2, 0))
					continue
				}
				m := at(base, 0)
				if row%3 > 0 {
					m = indexed(base, stride, uint8(row%3), 0)
				}
				f(row, m)
			}
		}
		advance := func(x reg.GPPhysical) {
			for m, k := r, 0; m > 0; m, k = m>>1, k+1 {
				if m&1 == 1 {
					LEAQ(indexed(x, stride, uint8(min(8, 1<<k)), 0), x)
				}
			}
		}
		Label(name)
		CMPQ(rows, Imm(uint64(r)))
		JLT(LabelRef(next))
		for v := range r {
			VMOVAPS(bias, i.vec[v])
		}
		MOVQ(at(a, rtSrcRow), stride)
		XORQ(t, t)
		Label(name + "_taps")
		CMPQ(t, at(a, rtTaps))
		JGE(LabelRef(name + "_end"))
		MOVQ(indexed(off, t, 8, 0), p)
		ADDQ(src, p)
		VBROADCASTSS(indexed(w, t, 4, 0), weight)
		each(func(row int, m Mem) { i.fma(m, weight, i.vec[row], tmp, true) })
		INCQ(t)
		JMP(LabelRef(name + "_taps"))
		Label(name + "_end")
		advance(src)
		MOVQ(at(a, rtDstRow), stride)
		MOVQ(at(a, rtFlags), t)
		TESTQ(U32(flagAdd), t)
		JZ(LabelRef(name + "_noadd"))
		MOVQ(add, p)
		each(func(row int, m Mem) {
			i.load(m, tmp, true)
			VADDPS(tmp, i.vec[row], i.vec[row])
		})
		Label(name + "_noadd")
		TESTQ(U32(flagClip), t)
		JZ(LabelRef(name + "_noclip"))
		VBROADCASTSS(at(a, rtLo), tmp)
		for v := range r {
			VMAXPS(i.vec[v], tmp, i.vec[v])
		}
		VBROADCASTSS(at(a, rtHi), tmp)
		for v := range r {
			VMINPS(i.vec[v], tmp, i.vec[v])
		}
		Label(name + "_noclip")
		MOVQ(dst, p)
		each(func(row int, m Mem) {
			if i.lanes == 16 {
				VMOVUPS(i.vec[row], reg.K1, m)
			} else {
				VMASKMOVPS(i.vec[row], y[15], m)
			}
		})
		advance(dst)
		advance(add)
		SUBQ(Imm(uint64(r)), rows)
		JMP(LabelRef(name))
	}
	done()
	VZEROUPPER()
	RET()
}

// Byte offsets of the fields of the Go type dotTile.
const (
	dtImages, dtRuns, dtN, dtDY, dtDYRow, dtDYImage = 0, 8, 16, 24, 32, 40
	dtX, dtXRun, dtXImage, dtOff, dtSums            = 48, 56, 64, 72, 80
)

// dotTile sums products along positions: rows of dy against taps of x.
func dotTile(rows, taps int) {
	function(fmt.Sprintf("dotTile512x%dx%d", rows, taps), "(a *dotTile)")
	params("a")
	i := isa{"512", 16, z}
	a := param("a", reg.RDI)
	dy := []reg.GPPhysical{reg.R8, reg.R9}[:(rows+2)/3]
	dyRow := reg.R10
	xp := []reg.GPPhysical{reg.R11, reg.R12, reg.R13, reg.R15}[:taps]
	n, runs, images := reg.RCX, reg.RBX, reg.RDX
	acc := func(r, t int) reg.VecPhysical { return z[r*taps+t] }
	xv, dv := z[24:24+taps], z[28]
	MOVQ(at(a, dtDYRow), dyRow)
	MOVQ(at(a, dtDY), dy[0])
	if len(dy) > 1 {
		LEAQ(indexed(dyRow, dyRow, 2, 0), dy[1])
		ADDQ(dy[0], dy[1])
	}
	MOVQ(at(a, dtOff), reg.RAX)
	for t := range taps {
		MOVQ(at(reg.RAX, 8*t), xp[t])
		ADDQ(at(a, dtX), xp[t])
	}
	for r := range rows {
		for t := range taps {
			i.zero(acc(r, t))
		}
	}
	all := append(append([]reg.GPPhysical{}, dy...), xp...)
	step := func(masked bool) {
		for t := range taps {
			i.load(at(xp[t], 0), xv[t], masked)
		}
		for r := range rows {
			m := at(dy[r/3], 0)
			if r%3 > 0 {
				m = indexed(dy[r/3], dyRow, uint8(r%3), 0)
			}
			i.load(m, dv, masked)
			for t := range taps {
				VFMADD231PS(xv[t], dv, acc(r, t))
			}
		}
	}
	MOVQ(at(a, dtImages), images)
	Label("image")
	MOVQ(at(a, dtRuns), runs)
	Label("run")
	MOVQ(at(a, dtN), n)
	Label("full")
	CMPQ(n, Imm(16))
	JLT(LabelRef("tail"))
	step(false)
	for _, p := range all {
		ADDQ(Imm(64), p)
	}
	SUBQ(Imm(16), n)
	JMP(LabelRef("full"))
	Label("tail")
	TESTQ(n, n)
	JLE(LabelRef("next"))
	i.tailMask(n, reg.RAX)
	step(true)
	for _, p := range all {
		LEAQ(indexed(p, n, 4, 0), p)
	}
	Label("next")
	for _, p := range xp {
		ADDQ(at(a, dtXRun), p)
	}
	DECQ(runs)
	JNZ(LabelRef("run"))
	for _, p := range dy {
		ADDQ(at(a, dtDYImage), p)
	}
	for _, p := range xp {
		ADDQ(at(a, dtXImage), p)
	}
	DECQ(images)
	JNZ(LabelRef("image"))
	// Lanes are summed in registers 13 and 14, which VEX instructions reach; their own sums step aside.
	if rows*taps > 13 {
		VMOVAPS(z[13], z[29])
		VMOVAPS(z[14], z[30])
	}
	for s := range rows * taps {
		from := z[s]
		if s == 13 || s == 14 {
			from = z[s+16]
		}
		VMOVAPS(from, z[13])
		i.total(13, 14)
		VMOVSS(x[13], at(a, dtSums+4*s))
	}
	VZEROUPPER()
	RET()
}

func (i isa) tapDots(taps int) {
	function(fmt.Sprintf("tapDots%sx%d", i.name, taps), "(a *rowTaps)")
	params("a")
	a := param("a", reg.RDI)
	bytes := 4 * i.lanes
	rows, src, dst := reg.R8, reg.R9, reg.R10
	MOVQ(at(a, rtRows), rows)
	MOVQ(at(a, rtSrc), src)
	MOVQ(at(a, rtDst), dst)
	off := reg.R12
	MOVQ(at(a, rtOff), off)
	acc := i.vec[:taps]
	dy, tmp := i.vec[12], i.vec[13]
	for _, v := range acc {
		i.zero(v)
	}
	// The pointers of the first taps live in registers.
	kept := []reg.GPPhysical{reg.RBX, reg.RDX, reg.R11, reg.R13, reg.R15}
	Label("row")
	TESTQ(rows, rows)
	JLE(LabelRef("sum"))
	n, j := reg.RCX, reg.RSI
	MOVQ(at(a, rtN), n)
	XORQ(j, j)
	for t := range min(taps, len(kept)) {
		MOVQ(at(off, 8*t), kept[t])
		ADDQ(src, kept[t])
	}
	step := func(masked bool) {
		i.load(indexed(dst, j, 1, 0), dy, masked)
		for t := range taps {
			p := reg.Register(reg.RAX)
			if t < len(kept) {
				p = kept[t]
			} else {
				MOVQ(at(off, 8*t), reg.RAX)
				ADDQ(src, reg.RAX)
			}
			i.fma(indexed(p, j, 1, 0), dy, acc[t], tmp, masked)
		}
	}
	Label("full")
	CMPQ(n, Imm(uint64(i.lanes)))
	JLT(LabelRef("tail"))
	step(false)
	ADDQ(Imm(uint64(bytes)), j)
	SUBQ(Imm(uint64(i.lanes)), n)
	JMP(LabelRef("full"))
	Label("tail")
	TESTQ(n, n)
	JLE(LabelRef("next"))
	i.tailMask(n, reg.RAX)
	step(true)
	Label("next")
	ADDQ(at(a, rtSrcRow), src)
	ADDQ(at(a, rtDstRow), dst)
	DECQ(rows)
	JMP(LabelRef("row"))
	Label("sum")
	for t := range taps {
		i.total(t, 14)
		VADDSS(at(a, rtSums+4*t), x[t], x[t])
		VMOVSS(x[t], at(a, rtSums+4*t))
	}
	VZEROUPPER()
	RET()
}

func main() {
	path := flag.String("decl", "", "file of the declarations")
	flag.Parse()
	ConstraintExpr("!noasm")
	GLOBL("laneMasks", RODATA|NOPTR)
	for i := range 16 {
		v := U32(0)
		if i < 8 {
			v = 0xffffffff
		}
		DATA(4*i, v)
	}
	packTaps()
	packColumns()
	packRows()
	GLOBL("evenLanes", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(2*i))
	}
	padRows(1)
	padRows(2)
	evens()
	for _, i := range []isa{{"2", 8, y}, {"512", 16, z}} {
		i.dotRows()
		i.tapRows()
		for t := 1; t <= 9; t++ {
			i.tapDots(t)
		}
		fmt.Fprintf(&decls, "\n// tapDots%s[t-1] is tapDots of t taps.\nvar tapDots%s = [9]func(*rowTaps){", i.name, i.name)
		for t := 1; t <= 9; t++ {
			fmt.Fprintf(&decls, "tapDots%sx%d, ", i.name, t)
		}
		fmt.Fprint(&decls, "}\n")
	}
	fmt.Fprint(&decls, "\n// dotTiles512[r-1][t-1] is dotTiles of r rows and t taps.\nvar dotTiles512 = [6][4]func(*dotTile){\n")
	for r := 1; r <= 6; r++ {
		fmt.Fprint(&decls, "{")
		for t := 1; t <= 4; t++ {
			fmt.Fprintf(&decls, "dotTile512x%dx%d, ", r, t)
		}
		fmt.Fprint(&decls, "},\n")
	}
	fmt.Fprint(&decls, "}\n")
	for r := 1; r <= 6; r++ {
		for t := 1; t <= 4; t++ {
			dotTile(r, t)
		}
	}
	if *path != "" {
		head := "// Code generated by _asm/conv. DO NOT EDIT.\n\n//go:build !noasm\n\npackage kernel\n"
		if err := os.WriteFile(*path, []byte(head+decls.String()), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	Generate()
}
