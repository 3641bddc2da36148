package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/gtk-onnx/gtk/internal/kernel/_asm/transpose"
)

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

// ahead is how many bytes of a row are fetched before they are read: sixteen rows at a time are more than the processor foresees.
const ahead = 512

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
		PREFETCHT0(at(reg.R11, ahead))
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
	transpose.Block16(z)
	CMPQ(k, Imm(16))
	JLT(LabelRef("tail"))
	for i := range 16 {
		VMOVUPS(z[i], reg.K2, at(dst, 0))
		ADDQ(width, dst)
	}
	ADDQ(Imm(64), src)
	SUBQ(Imm(16), k)
	JMP(LabelRef("columns"))
	Label("tail")
	for i := range 15 {
		CMPQ(k, Imm(uint64(i)))
		JLE(LabelRef("next"))
		VMOVUPS(z[i], reg.K2, at(dst, 0))
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

// packColumns2 is packColumns with blocks of 8 × 8.
func packColumns2() {
	function("packColumns2", "(dst *float32, width int, src *float32, ld int, rows int, k int)")
	params("dst", "width", "src", "ld", "rows", "k")
	width, ld, rows := param("width", reg.RDX), param("ld", reg.R8), param("rows", reg.R9)
	lanes := param("width", reg.R10) // left to write
	top, left := param("src", reg.R12), param("dst", reg.R13)
	SHLQ(Imm(2), width)
	SHLQ(Imm(2), ld)
	mask := func(n, tmp reg.GPPhysical, v reg.VecPhysical) { // of the first n lanes, n up to 8
		LEAQ(NewDataAddr(Symbol{Name: "laneMasks", Static: true}, 32), tmp)
		SHLQ(Imm(2), n)
		SUBQ(n, tmp)
		SHRQ(Imm(2), n)
		VMOVUPS(at(tmp, 0), v)
	}
	cut := func(r reg.GPPhysical) { // RAX = min(r, 8)
		MOVQ(U32(8), reg.RAX)
		CMPQ(r, reg.RAX)
		CMOVQLT(r, reg.RAX)
	}
	Label("block") // 8 rows
	TESTQ(lanes, lanes)
	JLE(LabelRef("done"))
	MOVQ(top, reg.RSI)
	MOVQ(left, reg.RDI)
	k := param("k", reg.RCX)
	Label("columns")
	TESTQ(k, k)
	JLE(LabelRef("next"))
	for i := range 8 {
		VXORPS(y[i], y[i], y[i])
	}
	MOVQ(reg.RSI, reg.R11)
	CMPQ(k, Imm(8))
	JLT(LabelRef("short"))
	CMPQ(rows, Imm(8))
	JLT(LabelRef("few"))
	for i := range 8 {
		VMOVUPS(at(reg.R11, 0), y[i])
		ADDQ(ld, reg.R11)
	}
	JMP(LabelRef("loaded"))
	Label("few")
	for i := range 7 {
		CMPQ(rows, Imm(uint64(i)))
		JLE(LabelRef("loaded"))
		VMOVUPS(at(reg.R11, 0), y[i])
		ADDQ(ld, reg.R11)
	}
	JMP(LabelRef("loaded"))
	Label("short")
	cut(k)
	mask(reg.RAX, reg.RBX, y[15])
	for i := range 8 {
		CMPQ(rows, Imm(uint64(i)))
		JLE(LabelRef("loaded"))
		VMASKMOVPS(at(reg.R11, 0), y[15], y[i])
		ADDQ(ld, reg.R11)
	}
	Label("loaded")
	transpose.Block8(y)
	CMPQ(lanes, Imm(8))
	JLT(LabelRef("narrow"))
	for i := range 8 {
		if i > 0 {
			CMPQ(k, Imm(uint64(i)))
			JLE(LabelRef("next"))
		}
		VMOVUPS(y[i], at(reg.RDI, 0))
		ADDQ(width, reg.RDI)
	}
	JMP(LabelRef("advance"))
	Label("narrow")
	cut(lanes)
	mask(reg.RAX, reg.RBX, y[14])
	// Masked stores take long on some processors: where a row has one block of lanes, and more rows follow, what is written past its end
	// the next ones overwrite.
	CMPQ(width, Imm(32))
	JGE(LabelRef("masked"))
	CMPQ(k, Imm(16))
	JL(LabelRef("masked"))
	for i := range 8 {
		VMOVUPS(y[i], at(reg.RDI, 0))
		ADDQ(width, reg.RDI)
	}
	JMP(LabelRef("advance"))
	Label("masked")
	for i := range 8 {
		if i > 0 {
			CMPQ(k, Imm(uint64(i)))
			JLE(LabelRef("next"))
		}
		VMASKMOVPS(y[i], y[14], at(reg.RDI, 0))
		ADDQ(width, reg.RDI)
	}
	Label("advance")
	ADDQ(Imm(32), reg.RSI)
	SUBQ(Imm(8), k)
	JMP(LabelRef("columns"))
	Label("next")
	SUBQ(Imm(8), lanes)
	SUBQ(Imm(8), rows)
	ADDQ(Imm(32), left)
	// The source moves on only while there are rows, so that it stays inside its slice.
	TESTQ(rows, rows)
	JLE(LabelRef("block"))
	LEAQ(Mem{Base: top, Index: ld, Scale: 8}, top)
	JMP(LabelRef("block"))
	Label("done")
	VZEROUPPER()
	RET()
}

func packRows() {
	function("packRows512", "(dst *float32, width int, src *float32, ld int, cols int, k int)")
	params("dst", "width", "src", "ld", "cols", "k")
	dst, width, src, ld, cols, k := param("dst", reg.RDI), param("width", reg.RDX), param("src", reg.RSI), param("ld", reg.R8),
		param("cols", reg.R9), param("k", reg.RCX)
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
